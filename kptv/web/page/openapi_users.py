"""What the answers of `/api/users…` hold, and what is sent there."""

from __future__ import annotations

from kptv.channels.users.model import SecretKind, Standing
from kptv.channels.users.names import LONGEST_NAME, LONGEST_TYPED, SHORTEST_TYPED
from kptv.channels.users.values import (
    LAST_TIME,
    LONGEST_GROUP,
    LONGEST_LABEL,
    LONGEST_NOTE,
    LONGEST_PROFILE,
    MOST_GROUPS,
    MOST_STREAMS,
    ODD,
)
from kptv.web.page.operations import ADMIN, answers, get, post
from kptv.web.page.public import Json
from kptv.web.page.schema import FLAG, TEXT, TIME, WAY, WHOLE, list_of, object_of, ref

_TIME: Json = {"type": "integer", "description": "Unix time, in seconds"}
_TIME_OR_NULL: Json = {"type": ["integer", "null"], "description": "Unix time, in seconds"}
_LINE: Json = {"type": "string", "pattern": f"^[^{ODD}]*$"}
_NAME: Json = {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}$"}
_END: Json = {"type": ["integer", "null"], "minimum": 0, "maximum": LAST_TIME}
_GROUP: Json = {"type": "string", "pattern": f"^[^\\s{ODD}][^{ODD}]*$", "maxLength": LONGEST_GROUP}
_RIGHTS: dict[str, Json] = {
    "enabled": FLAG,
    "expires": {**_END, "description": "Unix time, in seconds; null: never"},
    "max_streams": {**WHOLE, "maximum": MOST_STREAMS, "description": "at once; 0: any number"},
    "refuses": {
        **FLAG,
        "description": "whether the stream too many is refused; otherwise the oldest ends",
    },
    "groups": {
        "type": ["array", "null"],
        "items": _GROUP,
        "minItems": 1,
        "maxItems": MOST_GROUPS,
        "description": "names of those that the user may see; null: all",
    },
    "profile": {
        **_LINE,
        "maxLength": LONGEST_PROFILE,
        "description": "in place of the main list; empty: none",
    },
    "note": {**_LINE, "maxLength": LONGEST_NOTE},
}
_SECRET: dict[str, Json] = {
    "label": {
        **_LINE,
        "maxLength": LONGEST_LABEL,
        "description": "as the device that has the secret",
    },
    "secret": {
        "type": ["string", "null"],
        "pattern": f"^[A-Za-z0-9_-]{{{SHORTEST_TYPED},{LONGEST_TYPED}}}$",
        "description": "left out: one is made",
    },
}

USERS_SCHEMAS: Json = {
    "UserSecret": object_of(
        number=WHOLE,
        kind={"enum": [kind.value for kind in SecretKind]},
        label=TEXT,
        created=_TIME,
        revoked=_TIME_OR_NULL,
    ),
    "UserStream": object_of(
        viewer={**WHOLE, "description": "for /api/viewers/{number}/end"},
        kind=WAY,
        channel=TEXT,
        name=TEXT,
        address=TEXT,
        app=TEXT,
        since=TIME,
    ),
    "User": object_of(
        name=TEXT,
        created=_TIME,
        standing={"enum": [standing.value for standing in Standing]},
        **_RIGHTS,
        secrets=list_of(ref("UserSecret")),
        streams=list_of(ref("UserStream")),
    ),
    "Users": object_of(
        trouble={"type": "string", "description": "why nobody is let in; empty: all is well"},
        users=list_of(ref("User")),
    ),
    "NewSecret": object_of(
        user=ref("User"),
        number={**WHOLE, "description": "of the secret"},
        links={
            **object_of(
                list_url=TEXT,
                guide_url=TEXT,
                server={"type": "string", "description": "Xtream's, with name and secret"},
                name=TEXT,
                secret=TEXT,
                tuner_url={"type": "string", "description": "HDHomeRun's"},
            ),
            "description": "what is typed into applications; in this one answer only",
        },
    ),
}
_CHANGED_USER: Json = {"type": "object", "properties": _RIGHTS}
_NEW_SECRET: Json = {"type": "object", "properties": _SECRET}
_NEW_USER: Json = {
    "type": "object",
    "properties": {"name": _NAME, **_RIGHTS, **_SECRET},
    "required": ["name"],
}
_USER = "name of a user, in any case of letters"

USERS_PATHS: Json = {
    "/api/users": {
        **get(
            "Who may watch, and what is open for each of them",
            answers(200, "Users", 401, 403, 429),
            security=ADMIN,
        ),
        **post(
            "Make a user; the first one of all closes the proxy to everybody else",
            answers(201, "NewSecret", 400, 401, 403, 409, 413, 415, 422, 429, 503),
            body=_NEW_USER,
            required=True,
        ),
    },
    "/api/users/{id}": {
        **post(
            "Change what a user may; what was left out stays",
            answers(200, "Done", 400, 401, 403, 404, 413, 415, 422, 429, 503),
            body=_CHANGED_USER,
            identifier=_USER,
            method="patch",
        ),
        **post(
            "Forget a user; what plays in that name ends",
            answers(200, "Done", 401, 403, 404, 429, 503),
            identifier=_USER,
            method="delete",
        ),
    },
    "/api/users/{id}/secrets": post(
        "Give a user one more secret, as for another device",
        answers(201, "NewSecret", 400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
        body=_NEW_SECRET,
        identifier=_USER,
    ),
    "/api/users/{id}/secrets/{number}": post(
        "Take a secret back; what plays by it ends",
        answers(200, "Done", 401, 403, 404, 429, 503),
        identifier=_USER,
        number="of the secret",
        method="delete",
    ),
    "/api/viewers/{number}/end": post(
        "End what one viewer watches; others are not disturbed",
        answers(202, "Done", 401, 403, 404, 429, 503),
        number="of a viewer in /api/status or /api/users",
    ),
}
