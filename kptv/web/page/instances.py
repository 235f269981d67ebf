"""`/api/instances`: what each of several instances shows of itself, joined by each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from kptv.web.page.public import Json
from kptv.web.page.view import View

STALE = 5.0  # seconds; an instance shows itself each second
MOST_PLAYING = 100  # channels of an instance that are shown
_KEYS = ("name", "address", "version", "started", "ready", "leads", "failed", "totals", "playing")


class Shown(Protocol):
    """What an instance showed."""

    @property
    def place(self) -> str:
        """No two instances have the same."""
        ...

    @property
    def at(self) -> float:
        """Monotonic."""
        ...

    @property
    def text(self) -> str:
        """As ``own_text`` made it there."""
        ...


class Others(Protocol):
    """The instances, as this one knows them."""

    @property
    def name(self) -> str:
        """Of this one."""
        ...

    @property
    def address(self) -> str:
        """Host and port of this one; without a host, it is the router's."""
        ...

    @property
    def place(self) -> str:
        """Of this one."""
        ...

    def seen(self) -> Sequence[Shown]:
        """What all of them showed last."""
        ...

    def stir(self) -> None:
        """Show the others at once what there is to show."""
        ...


Instances = Callable[[], Json]


def alone() -> Json:
    """There is one instance, which needs no list."""
    return {"instances": []}


def own_text(view: View, instances: Others, leads: bool, notes: str = "", digest: str = "") -> str:
    """What the others see of this instance, and hear; without viewers, log and providers.

    ``leads``: whether it imports for all. ``notes`` have a line of their own: these are read each
    second, and all the rest only for people. ``digest``: of the channel list that it serves; empty
    while it is not known.
    """
    shown = {**view.brief(MOST_PLAYING), "list": digest}
    value = {"name": instances.name, "address": instances.address, "leads": leads, **shown}
    text = json.dumps(value, ensure_ascii=False)
    return f"{text}\n{notes}" if notes else text


def notes_in(text: str) -> str:
    """The notes in what an instance showed; empty: there are none."""
    return text.partition("\n")[2]


def may_play(slug: str, instance: Json) -> bool:
    """Whether an instance, as it is listed, may play a channel."""
    playing = instance["playing"]
    return len(playing) >= MOST_PLAYING or any(channel["id"] == slug for channel in playing)


def listed(instances: Others) -> Json:
    """All instances by name, this one among them."""
    now, found = monotonic(), []
    read = [(shown, _read(shown.text)) for shown in instances.seen()]
    own = {value["list"] for shown, value in read if value and shown.place == instances.place}
    for shown, value in read:
        if value is not None:
            age = round(max(now - shown.at, 0.0), 1)
            is_this = shown.place == instances.place
            same = len(({value.pop("list")} | own) - {""}) < 2
            of_it = {"is_this": is_this, "age": age, "stale": age > STALE, "same_list": same}
            found.append({**value, **of_it})
    return {"instances": sorted(found, key=lambda each: str(each["name"]))}


def _read(text: str) -> Json | None:
    """What another instance wrote; None if it is of another version, and not understood."""
    try:
        value = json.loads(text.partition("\n")[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not set(_KEYS) <= set(value):
        return None
    return {**{key: value[key] for key in _KEYS}, "list": str(value.get("list", ""))}
