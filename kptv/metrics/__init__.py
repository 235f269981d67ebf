"""The figures of this process, for Prometheus and for people.

``counters`` holds what is counted, ``source_figures`` the figures of a source, ``families`` says
what a metric is, and ``exposition`` is the table of all. A channel's figures exist while it plays,
a source's always. So the number of series depends on how many channels play, not on how many the
lists have.
"""
