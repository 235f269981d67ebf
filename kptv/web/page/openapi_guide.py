"""What the answers of `/api/guide…` hold."""

from __future__ import annotations

from kptv.guide.reading import STATES
from kptv.web.page.public import Json
from kptv.web.page.schema import FLAG, TEXT, WHOLE, list_of, object_of, ref
from kptv.web.page.shows import STANDINGS

_TIME: Json = {"type": "integer", "description": "Unix time, in seconds"}
STANDING: Json = {"enum": list(STANDINGS.values()), "description": "none: no guide is known"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}


def or_null(name: str) -> Json:
    """What is called so, or nothing."""
    return {"oneOf": [{"type": "null"}, ref(name)]}


_WINDOW: dict[str, Json] = {"guide": STANDING, "from": _TIME, "to": _TIME}

GUIDE_SCHEMAS: Json = {
    "Show": object_of(start=_TIME, stop=_TIME, title=TEXT),
    "DetailedShow": object_of(
        start=_TIME,
        stop=_TIME,
        title=TEXT,
        sub_title=TEXT,
        desc=TEXT,
        categories=list_of(TEXT),
        icon=TEXT,
        episode={"type": "string", "description": "S2 E6, or as its guide has it"},
    ),
    "GuideNow": object_of(
        guide=STANDING,
        time=_TIME,
        total=WHOLE,
        page=WHOLE,
        size=WHOLE,
        channels=list_of(
            object_of(id=TEXT, now=or_null("DetailedShow"), next=or_null("DetailedShow"))
        ),
    ),
    "GuideGrid": object_of(
        **_WINDOW,
        total=WHOLE,
        page=WHOLE,
        size=WHOLE,
        is_whole={**FLAG, "description": "false: a search ended before it saw all channels"},
        channels=list_of(
            object_of(
                id=TEXT, name=TEXT, group=TEXT, logo=TEXT, number=TEXT, shows=list_of(ref("Show"))
            )
        ),
    ),
    "GuideJoin": object_of(
        id=TEXT,
        name=TEXT,
        number=TEXT,
        state={"enum": list(STATES)},
        served_id={"type": "string", "description": "of the channel in our list and our guide"},
        rule=_TEXT_OR_NULL,
        guide={**_TEXT_OR_NULL, "description": "as the log calls it"},
        guide_id={"type": "string", "description": "in that guide"},
        key={"type": "string", "description": "that was compared"},
        why={"type": "string", "description": "there is none"},
        suggestions=list_of(object_of(guide=TEXT, guide_id=TEXT)),
    ),
    "GuideDay": object_of(
        **_WINDOW,
        id=TEXT,
        name=TEXT,
        group=TEXT,
        logo=TEXT,
        join=or_null("GuideJoin"),
        shows=list_of(ref("DetailedShow")),
    ),
    "GuideJoins": object_of(
        guide=STANDING, total=WHOLE, page=WHOLE, size=WHOLE, channels=list_of(ref("GuideJoin"))
    ),
}
