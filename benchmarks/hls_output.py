"""HLS out: what cutting costs, how soon a channel is there, what crowds cost. Needs nginx."""

from __future__ import annotations

from benchmarks import _hls_crowds, _hls_cutting, _hls_starts
from benchmarks.figures import Figure
from benchmarks.rig import compiled, two_cores


def run(quick: bool = False) -> list[Figure]:
    """The figures, and what they should be; ``quick``: of 8 Mbit/s alone, in one round."""
    with two_cores() as cores, compiled("viewers") as (program,):
        return [
            *_hls_cutting.run(),
            *_hls_starts.run(cores),
            *_hls_crowds.run(cores, program, quick=quick),
        ]
