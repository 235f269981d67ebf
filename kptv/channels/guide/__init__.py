"""The guide of the served channels: which of a guide's ids is whose, and what is shown when. PURE.

``keys`` are what is compared, ``joins`` joins by rules and never by likeness, ``ids`` says under
which id a channel stands in our own guide, ``schedule`` makes one schedule of what guides tell.
"""
