"""The figures of this process, for Prometheus and for people.

``counters`` holds what is counted, ``source_figures`` the figures of a source, ``exposition`` the
table of all metrics. A channel's figures exist while it plays, a source's always. So the number of
series depends on how many channels play, not on how many the lists have.
"""
