"""What the answers of `/api/rules…` hold."""

from __future__ import annotations

from kptv.web.page.public import Json
from kptv.web.page.schema import FLAG, TEXT, TIME_OR_NULL, WHOLE, list_of, object_of, ref

_LINE: Json = {"type": "integer", "minimum": 0, "description": "of the file; 0: not known"}
_MARKED = object_of(line=_LINE, text=TEXT)
_SOURCE: Json = {"type": "integer", "minimum": 0, "description": "place in SOURCES, from 1"}


def _or_null(name: str) -> Json:
    return {"oneOf": [{"type": "null"}, ref(name)]}


RULES_SCHEMAS: Json = {
    "RulesFile": object_of(
        present={"type": "boolean", "description": "rules hold"},
        followed={"type": "boolean", "description": "the channels are as the rules say"},
        read_at=TIME_OR_NULL,
        bad_since={**TIME_OR_NULL, "description": "Unix time; null: the file can be used"},
        complaints=list_of(_MARKED),
    ),
    "Ruled": object_of(
        entries=WHOLE,
        names={**WHOLE, "description": "channels, were there no rules"},
        channels=WHOLE,
        dropped=WHOLE,
        renamed=WHOLE,
        merged=WHOLE,
        rules=list_of(
            object_of(line=_LINE, when=TEXT, does=TEXT, hits=WHOLE, samples=list_of(TEXT))
        ),
        too_slow=list_of(_MARKED),
    ),
    "RulesReport": object_of(
        no_match=list_of(object_of(line=_LINE, table=TEXT, text=TEXT, near=list_of(TEXT))),
        shadowed=list_of(object_of(line=_LINE, by=list_of(_LINE))),
        conflicts=list_of(object_of(channel=TEXT, name=TEXT, ids=list_of(TEXT))),
        alike=list_of({**list_of(TEXT), "description": "names that may mean one channel"}),
        spares=list_of(
            {
                **object_of(name=TEXT, line=_LINE, channel=TEXT),
                "description": "a dropped entry of a channel that is served",
            }
        ),
        prefixes=list_of(object_of(text=TEXT, entries=WHOLE)),
        apart=list_of(object_of(name=TEXT, channels=list_of(TEXT), found=TEXT)),
        profiles=list_of(object_of(name=TEXT, line=_LINE, channels=WHOLE)),
        numbering=list_of(TEXT),
    ),
    "Rules": object_of(
        file=ref("RulesFile"), ruled=_or_null("Ruled"), report=_or_null("RulesReport")
    ),
    "Merged": object_of(
        total=WHOLE,
        page=WHOLE,
        size=WHOLE,
        channels=list_of(
            object_of(
                channel=TEXT,
                name=TEXT,
                entries=list_of(object_of(name=TEXT, source=_SOURCE)),
            )
        ),
    ),
    "Dropped": object_of(
        total=WHOLE,
        page=WHOLE,
        size=WHOLE,
        entries=list_of(object_of(name=TEXT, source=_SOURCE, line=_LINE)),
    ),
    "Explained": object_of(
        total={**WHOLE, "description": "entries of this name; 0: what would become of one"},
        entries=list_of(
            object_of(
                name=TEXT,
                source=_SOURCE,
                groups=list_of(TEXT),
                is_listed=FLAG,
                steps=list_of(object_of(what=TEXT, line=_LINE, result=TEXT)),
                is_dropped=FLAG,
                key=TEXT,
                channel=TEXT,
                channel_name=TEXT,
                candidates=list_of(object_of(name=TEXT, source=TEXT, is_this=FLAG)),
                guide=TEXT,
            )
        ),
    ),
}
