"""Everything goes wrong at once, from a seed: providers, lists, viewers; and judges who watch.

`make soak SEEDS=20 SECONDS=180` runs it for long; test_chaos.py is one seed of a minute.
"""
