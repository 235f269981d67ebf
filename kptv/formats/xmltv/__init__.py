"""XMLTV: programme guides (xmltv.dtd), read from bytes and written for players. PURE.

``packed`` unpacks, ``mending`` makes text of bytes and good XML of bad, ``times`` reads times,
``reading`` finds channels and shows, ``writing`` writes them.
"""
