"""The content of `/api/openapi.json`: the API in OpenAPI 3.1. Tests compare it with the answers."""

from __future__ import annotations

from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, Kind
from kptv.restream.journal import EventKind
from kptv.web.page.admin import COOKIE, CSRF_HEADER, TOKEN_HEADER
from kptv.web.page.public import Json

_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": "number"}
_FLAG: Json = {"type": "boolean"}
_TIME: Json = {"type": "number", "description": "Unix time, in seconds"}
_TIME_OR_NULL: Json = {"type": ["number", "null"], "description": "Unix time, in seconds"}
_SOURCE_OR_NULL: Json = {"type": ["integer", "null"], "description": "place in SOURCES, from 1"}
_RATE: Json = {"type": "integer", "minimum": 0, "description": "bits a second"}


def _object(**properties: Json) -> Json:
    """An object with these properties, all there and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_KINDS = {
    Kind.TEXT: _TEXT,
    Kind.FLAG: _FLAG,
    Kind.WHOLE: _WHOLE,
    Kind.SECONDS: _NUMBER,
    Kind.TIME: _TIME_OR_NULL,
}


def _figure(figure: Figure) -> Json:
    about = {"description": figure.about} if figure.about else {}
    return {**_KINDS[figure.kind], **about}


_SCHEMAS: Json = {
    "Error": _object(error=_TEXT),
    "Done": _object(done=_TEXT),
    "Session": _object(actions=_FLAG, csrf={"type": ["string", "null"]}),
    "Totals": _object(
        playing=_WHOLE,
        viewers=_WHOLE,
        upstreams=_WHOLE,
        received_rate=_RATE,
        sent_rate=_RATE,
        buffer_bytes=_WHOLE,
        buffer_limit=_WHOLE,
        loop_lag={"type": "number", "description": "seconds, the worst of the last 10"},
    ),
    "Source": _object(**{figure.name: _figure(figure) for figure in SOURCE_FIGURES}),
    "Event": _object(
        time=_TIME,
        kind={"enum": [kind.value for kind in EventKind]},
        channel=_TEXT,
        name=_TEXT,
        source=_SOURCE_OR_NULL,
        reason=_TEXT,
        detail=_TEXT,
        silence={
            "type": ["number", "null"],
            "description": "seconds that viewers had been without media by then",
        },
    ),
    "Candidate": _object(
        id=_TEXT,
        source=_WHOLE,
        standing={
            "enum": ["open", "ready", "full", "resting", "cooling", "host_cooling", "blocked"]
        },
        until=_TIME_OR_NULL,
        failures=_WHOLE,
        patience={"type": "number", "description": "seconds of silence that are a failure"},
        reason=_TEXT,
        detail=_TEXT,
        failed_at=_TIME_OR_NULL,
    ),
    "Standby": _object(
        id={"type": "string", "description": "of a candidate"},
        source=_WHOLE,
        ready={"type": "boolean", "description": "viewers can go on with it at once"},
        since=_TIME_OR_NULL,
    ),
    "Viewer": _object(
        viewer=_WHOLE,
        address=_TEXT,
        app=_TEXT,
        joined=_TIME,
        behind={"type": "number", "description": "seconds"},
        received_bytes=_WHOLE,
        skips=_WHOLE,
    ),
    "Hub": _object(
        hub=_WHOLE,
        id=_TEXT,
        name=_TEXT,
        group=_TEXT,
        logo=_TEXT,
        state={"enum": ["starting", "playing", "recovering", "ended"]},
        since=_TIME,
        source=_SOURCE_OR_NULL,
        standby={"oneOf": [{"type": "null"}, _ref("Standby")]},
        media={"type": "object", "description": "what the transport stream says of itself"},
        bit_rate=_RATE,
        rates=_list(_RATE),
        buffer_bytes=_WHOLE,
        received_bytes=_WHOLE,
        sent_bytes=_WHOLE,
        skips=_WHOLE,
        failovers=_WHOLE,
        viewers=_WHOLE,
        watching=_list(_ref("Viewer")),
        candidates=_list(_ref("Candidate")),
        history=_list(_ref("Event")),
    ),
    "Blocked": _object(id=_TEXT, name=_TEXT, source=_WHOLE, until=_TIME_OR_NULL),
    "Resting": _object(
        id=_TEXT,
        what={"enum": ["stream", "host", "account"], "description": "what is left alone"},
        source=_WHOLE,
        name={"type": "string", "description": "of the stream that was refused"},
        reason=_TEXT,
        detail=_TEXT,
        since=_TIME,
        until=_TIME,
    ),
    "Line": _object(number=_WHOLE, time=_TIME, level=_TEXT, logger=_TEXT, text=_TEXT),
    "Profile": _object(name=_TEXT, list_url=_TEXT),
    "Status": _object(
        time=_TIME,
        started=_TIME,
        version={"type": "string", "description": "of the proxy that answers"},
        demo=_FLAG,
        proxy_not_believed=_TEXT,
        exposed_at=_TEXT,
        list_url=_TEXT,
        profiles=_list(_ref("Profile")),
        stream_url=_TEXT,
        channels=_WHOLE,
        ready=_FLAG,
        totals=_ref("Totals"),
        sources=_list(_ref("Source")),
        hubs=_list(_ref("Hub")),
        blocked=_list(_ref("Blocked")),
        resting=_list(_ref("Resting")),
        events=_list(_ref("Event")),
        log=_list(_ref("Line")),
    ),
    "Channel": _object(
        id=_TEXT,
        name=_TEXT,
        group=_TEXT,
        logo=_TEXT,
        number={"type": "string", "description": "in the served list; may be empty"},
        sources=_list(_WHOLE),
        playing=_FLAG,
    ),
    "Channels": _object(total=_WHOLE, page=_WHOLE, size=_WHOLE, channels=_list(_ref("Channel"))),
    "Groups": _object(groups=_list(_object(id=_TEXT, name=_TEXT, channels=_WHOLE))),
}


def _answers(good: int, schema: str, *bad: int) -> Json:
    answers = {str(good): _answer("As asked.", _ref(schema))}
    answers |= {str(status): _answer(_WHY[status], _ref("Error")) for status in bad}
    return answers


def _answer(text: str, schema: Json) -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_WHY = {
    400: "Not understood.",
    401: "ADMIN_TOKEN is needed, or the header of the session; the error says which.",
    403: "Actions are off, or that was not the token.",
    404: "There is no such thing.",
    409: "It cannot be done now.",
    413: "Too long.",
    415: "Not JSON.",
    429: "Too many wrong tokens.",
    503: "Not ready.",
}
_NO_SECURITY: list[Json] = []
_ADMIN: list[Json] = [{"bearer": []}, {"token": []}, {"session": [], "csrf": []}]


def _get(summary: str, answers: Json, *parameters: Json) -> Json:
    operation = {"summary": summary, "responses": answers, "security": _NO_SECURITY}
    return {"get": {**operation, "parameters": list(parameters)} if parameters else operation}


def _post(
    summary: str,
    answers: Json,
    *,
    body: Json | None = None,
    required: bool = False,
    identifier: str = "",
    security: list[Json] = _ADMIN,
) -> Json:
    operation: Json = {"summary": summary, "responses": answers, "security": security}
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"content": content, "required": required}
    if identifier:
        operation["parameters"] = [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": identifier,
                "schema": {"type": "string", "minLength": 1},
            }
        ]
    return {"post": operation}


def _query(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


_SEARCH: Json = {"type": "string", "maxLength": 200}
_PAGE: Json = {"type": "integer", "minimum": 0, "maximum": 999999}
_TOKEN: Json = {"type": "object", "properties": {"token": _TEXT}, "required": ["token"]}
_SWITCH: Json = {
    "type": "object",
    "properties": {
        "source": {
            "type": ["integer", "string", "null"],
            "description": "its number or name, else the next one",
        }
    },
}

_PATHS: Json = {
    "/api/status": _get("All that plays, the sources, the log", _answers(200, "Status")),
    "/api/groups": _get("The groups, by name", _answers(200, "Groups")),
    "/api/channels": _get(
        "The channels, in the order of the list, a page at a time",
        _answers(200, "Channels", 400, 404, 503),
        _query("q", "words that the name holds", _SEARCH),
        _query("group", "id of a group", _SEARCH),
        _query("page", "from 0", _PAGE),
    ),
    "/api/events": _get(
        "Server-sent events: `status` (as /api/status), `figures`, `event`, `log`",
        {
            "200": {"description": "No end.", "content": {"text/event-stream": {"schema": _TEXT}}},
            "503": _answer("Too many pages are open.", _ref("Error")),
        },
    ),
    "/api/session": _get("Who asks", _answers(200, "Session")),
    "/api/login": _post(
        "Begin a session: sets a cookie and gives the value for the X-CSRF-Token header",
        _answers(200, "Session", 400, 403, 413, 415, 429),
        body=_TOKEN,
        required=True,
        security=_NO_SECURITY,
    ),
    "/api/logout": _post("End the session", _answers(200, "Session"), security=_NO_SECURITY),
    "/api/import": _post("Fetch all lists now", _answers(202, "Done", 401, 403, 429)),
    "/api/channels/{id}/switch": _post(
        "Move a playing channel to another source; viewers stay connected",
        _answers(202, "Done", 400, 401, 403, 404, 409, 413, 415, 429),
        body=_SWITCH,
        identifier="of a channel",
    ),
    "/api/channels/{id}/stop": _post(
        "End a playing channel and its viewers",
        _answers(202, "Done", 401, 403, 404, 429),
        identifier="of a channel",
    ),
    "/api/streams/{id}/unblock": _post(
        "Let a stream be tried again at once",
        _answers(200, "Done", 401, 403, 404, 429),
        identifier="of a candidate in /api/status",
    ),
}


def description() -> Json:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "KPTV Proxy",
            "version": "1",
            "description": "What plays, from which source, for whom; and a few levers.",
        },
        "paths": _PATHS,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN"},
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": TOKEN_HEADER,
                    "description": "ADMIN_TOKEN, if Authorization holds a password for nginx",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
            },
        },
    }
