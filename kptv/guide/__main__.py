"""`python -m kptv.guide joins`: which id each channel has, by which rule, or why none."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from kptv.command import TITLE
from kptv.config import load_config
from kptv.errors import ConfigError
from kptv.guide.reading import AT_ONCE, STATES, Generation, GuideBroken, Join
from kptv.guide.schema import finished_in

ABOUT = "Say what became of each channel as the guides were joined. Nothing is contacted or built."
NONE_YET = "No guide has been built yet. Start the proxy, and wait until its log tells of one."


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 if there is no guide; argparse ends with 2."""
    given = _parser().parse_args(arguments)
    try:
        generation = _newest()
        for line in _as_json(generation, given.state) if given.json else _told(generation, given):
            sys.stdout.write(f"{line}\n")
    except (ConfigError, GuideBroken) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kptv.guide", description=ABOUT)
    parser.add_argument("--version", action="version", version=TITLE)
    commands = parser.add_subparsers(required=True, metavar="joins")
    joins = commands.add_parser("joins", help="show each channel's id, rule and guide, or why none")
    joins.add_argument("--state", choices=STATES, help="only these channels")
    joins.add_argument("--json", action="store_true", help="for scripts: an object a line")
    return parser


def _newest() -> Generation:
    for path in finished_in(load_config().data_dir / "guide"):
        try:
            return Generation.open(path)
        except GuideBroken:
            continue
    raise GuideBroken(NONE_YET)


def _all(generation: Generation, state: str | None) -> Iterator[Join]:
    first = 0
    while some := generation.joins(state, first, AT_ONCE):
        yield from some
        first += len(some)


def _as_json(generation: Generation, state: str | None) -> Iterator[str]:
    tags = {guide.number: guide.tag for guide in generation.report.guides}
    for join in _all(generation, state):
        told = join._asdict()
        told["state"], told["guide"] = join.state, tags.get(join.guide or 0)
        told["suggestions"] = [[tags.get(guide), its] for guide, its in join.suggestions]
        yield json.dumps(told, ensure_ascii=False)


def _told(generation: Generation, given: argparse.Namespace) -> Iterator[str]:
    tags = {guide.number: guide.tag for guide in generation.report.guides}
    for join in _all(generation, given.state):
        yield f"{join.name}: {_became(join, tags)}"
    report = generation.report
    for guide in report.guides:
        trouble = f"; {guide.refused}" if guide.refused else ""
        yield (
            f"# {guide.tag}: {guide.shows} shows of {guide.channels} channels,"
            f" {guide.joined} joined{trouble}"
        )
    counts = ", ".join(f"{count} by {rule}" for rule, count in report.joined.items())
    yield f"# {sum(report.joined.values())} of {report.channels} channels joined: {counts or '-'}"


def _became(join: Join, tags: dict[int, str]) -> str:
    if join.rule is not None:
        return f"{join.guide_id} of {tags.get(join.guide or 0)}, by {join.rule} ({join.key})"
    maybe = ", ".join(f"{its} of {tags.get(guide)}" for guide, its in join.suggestions)
    return f"{join.why}{f'; perhaps {maybe}' if maybe else ''}"


if __name__ == "__main__":
    sys.exit(main())
