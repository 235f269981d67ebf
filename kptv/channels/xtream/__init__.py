"""What applications that speak the protocol of Xtream Codes panels are told. Pure.

There is no specification: the types are those that the strictest clients ask for.
"""
