"""The figures of this process, for Prometheus and for people.

``counters`` holds what is counted, ``sources`` the figures of a source, ``exposition`` the table of
all metrics. What belongs to a channel is there while it plays, what belongs to a source always: the
number of series follows what plays, not what the lists hold.
"""
