"""How long players stand still while a channel fails over six times in 30 s, by three ways of it.

Behind a gap, the channel's clock may skip the time that was lost, or go on where media ended, or
skip only what is beyond JOIN_BUFFER. A viewer who joined a running channel has that much media in
reserve. Ideal players are worked out; VLC, mpv and ffmpeg's demuxer get the same bytes. No
player of HLS is among them: there is no HLS output yet.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.figures import Figure, at_most
from benchmarks.outages import OUTAGES, Arrival, Scene, arrivals, pictures, shown
from benchmarks.players import PLAYERS, Stage, Watched, watched_as

JOIN_BUFFER = 2.0  # seconds; the default
NOISE = 0.3  # seconds by which two runs of one case differ anyway
BURSTS = (0.0, 1.0)  # seconds of media that providers send at once
JOINED_AT = (6.1, 6.5, 6.9)  # seconds, a round each: they start so long behind a keyframe
QUICK_AT, QUICK_BURSTS = JOINED_AT[:1], BURSTS[:1]


@dataclass(frozen=True, slots=True)
class Way:
    """A way of going on behind a gap."""

    name: str
    skip_beyond: float | None  # see Reserve


OURS = Way("goes on", None)
WAYS = (Way("skips all", 0.0), Way("skips beyond JOIN_BUFFER", JOIN_BUFFER), OURS)
Case = tuple[str, float]  # player, burst
Scenes = Mapping[tuple[Way, float], list[Arrival]]


def run(quick: bool = False) -> list[Figure]:
    """Ideal players, then real ones: all ways at once, so that each has the same machine.

    ``quick``: one round without bursts.
    """
    rounds_at, all_bursts = (QUICK_AT, QUICK_BURSTS) if quick else (JOINED_AT, BURSTS)
    seen: dict[tuple[Case, Way], list[Watched]] = {}
    for joined_at in rounds_at:
        scenes = {
            (way, burst): arrivals(Scene(way.skip_beyond, burst, joined_at, JOIN_BUFFER))
            for burst in all_bursts
            for way in WAYS
        }
        for player, way, burst, watched in (*_ideal(scenes), *_real(scenes)):
            seen.setdefault(((player, burst), way), []).append(watched)
    figures = [_figure(case, way, rounds) for (case, way), rounds in seen.items()]
    return [*figures, *(figure for burst in all_bursts for figure in _together(burst, seen))]


def _ideal(scenes: Scenes) -> Iterator[tuple[str, Way, float, Watched]]:
    for (way, burst), arrived in scenes.items():
        came = list(pictures(arrived))
        for clock, stops in (("runs on", False), ("stops", True)):
            player = f"an ideal player whose clock {clock}"
            yield player, way, burst, watched_as(shown(came, clock_stops=stops))


def _real(scenes: Scenes) -> Iterator[tuple[str, Way, float, Watched]]:
    """Each player that is installed before each programme, all at the same time."""
    names = {f"{number}": scene for number, scene in enumerate(scenes)}
    players = [name for name in PLAYERS if shutil.which(name)]
    keys = [(player, name) for player in players for name in names]
    with (
        Stage({name: scenes[scene] for name, scene in names.items()}) as stage,
        ThreadPoolExecutor(len(keys) or 1) as pool,
    ):
        found = list(pool.map(lambda key: PLAYERS[key[0]](stage.url(key[1])), keys))
    for (player, name), watched in zip(keys, found, strict=True):
        yield player, *names[name], watched


def _figure(case: Case, way: Way, rounds: list[Watched]) -> Figure:
    player, burst = case
    return Figure(_what(player, burst, way), _median(rounds), "s", note=_note(rounds))


def _together(burst: float, seen: Mapping[tuple[Case, Way], list[Watched]]) -> Iterator[Figure]:
    """All players that were run: the way that is ours must freeze them for the shortest time."""
    frozen = {
        way: sum(
            _median(rounds)
            for ((player, bursts), other), rounds in seen.items()
            if player in PLAYERS and bursts == burst and other is way
        )
        for way in WAYS
    }
    least = min(seconds for way, seconds in frozen.items() if way is not OURS)
    for way, seconds in frozen.items():
        target = at_most(least + NOISE) if way is OURS else None
        yield Figure(_what("VLC, mpv and ffmpeg together", burst, way), seconds, "s", target)


def _what(player: str, burst: float, way: Way) -> str:
    bursts = f"bursts of {burst:g} s" if burst else "no bursts"
    return f"{len(OUTAGES)} failovers, {bursts}: {player}, frozen if the clock {way.name}"


def _median(rounds: list[Watched]) -> float:
    return statistics.median(watched.frozen for watched in rounds)


def _note(rounds: list[Watched]) -> str:
    frozen = [watched.frozen for watched in rounds]
    return (
        f"{min(frozen):.1f} to {max(frozen):.1f}, {max(w.longest for w in rounds):.1f} at once;"
        f" {_each(w.pictures for w in rounds)} pictures, {_each(w.underruns for w in rounds)}"
        f" underruns, {_each(w.complaints for w in rounds)} complaints"
    )


def _each(counts: Iterable[int]) -> str:
    return "/".join(str(count) for count in counts)
