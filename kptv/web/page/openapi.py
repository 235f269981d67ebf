"""The content of `/api/openapi.json`: the API in OpenAPI 3.1. Tests compare it with the answers."""

from __future__ import annotations

from kptv.guide.reading import STATES
from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, Kind
from kptv.restream.journal import EventKind
from kptv.web.page.admin import COOKIE, CSRF_HEADER, TOKEN_HEADER
from kptv.web.page.openapi_guide import GUIDE_SCHEMAS, STANDING, or_null
from kptv.web.page.openapi_rules import RULES_SCHEMAS
from kptv.web.page.public import Json
from kptv.web.page.schema import (
    FLAG,
    NUMBER,
    RATE,
    SOURCE_OR_NULL,
    TEXT,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    list_of,
    object_of,
    ref,
)

_KINDS = {
    Kind.TEXT: TEXT,
    Kind.FLAG: FLAG,
    Kind.WHOLE: WHOLE,
    Kind.SECONDS: NUMBER,
    Kind.TIME: TIME_OR_NULL,
}


def _figure(figure: Figure) -> Json:
    about = {"description": figure.about} if figure.about else {}
    return {**_KINDS[figure.kind], **about}


_SCHEMAS: Json = {
    "Error": object_of(error=TEXT),
    "Done": object_of(done=TEXT),
    "Session": object_of(actions=FLAG, csrf={"type": ["string", "null"]}),
    "Totals": object_of(
        playing=WHOLE,
        viewers=WHOLE,
        upstreams=WHOLE,
        received_rate=RATE,
        sent_rate=RATE,
        buffer_bytes=WHOLE,
        buffer_limit=WHOLE,
        loop_lag={"type": "number", "description": "seconds, the worst of the last 10"},
    ),
    "Source": object_of(**{figure.name: _figure(figure) for figure in SOURCE_FIGURES}),
    "Event": object_of(
        time=TIME,
        kind={"enum": [kind.value for kind in EventKind]},
        channel=TEXT,
        name=TEXT,
        source=SOURCE_OR_NULL,
        reason=TEXT,
        detail=TEXT,
        silence={
            "type": ["number", "null"],
            "description": "seconds that viewers had been without media by then",
        },
    ),
    "Candidate": object_of(
        id=TEXT,
        source=WHOLE,
        standing={
            "enum": ["open", "ready", "full", "resting", "cooling", "host_cooling", "blocked"]
        },
        until=TIME_OR_NULL,
        failures=WHOLE,
        patience={"type": "number", "description": "seconds of silence that are a failure"},
        reason=TEXT,
        detail=TEXT,
        failed_at=TIME_OR_NULL,
    ),
    "Standby": object_of(
        id={"type": "string", "description": "of a candidate"},
        source=WHOLE,
        ready={"type": "boolean", "description": "viewers can go on with it at once"},
        since=TIME_OR_NULL,
    ),
    "Viewer": object_of(
        viewer=WHOLE,
        address=TEXT,
        app=TEXT,
        user=TEXT,
        joined=TIME,
        behind={"type": "number", "description": "seconds"},
        received_bytes=WHOLE,
        skips=WHOLE,
    ),
    "Hub": object_of(
        hub=WHOLE,
        id=TEXT,
        name=TEXT,
        group=TEXT,
        logo=TEXT,
        state={"enum": ["starting", "playing", "recovering", "ended"]},
        since=TIME,
        source=SOURCE_OR_NULL,
        standby={"oneOf": [{"type": "null"}, ref("Standby")]},
        media={"type": "object", "description": "what the transport stream says of itself"},
        bit_rate=RATE,
        rates=list_of(RATE),
        buffer_bytes=WHOLE,
        received_bytes=WHOLE,
        sent_bytes=WHOLE,
        skips=WHOLE,
        failovers=WHOLE,
        viewers=WHOLE,
        watching=list_of(ref("Viewer")),
        candidates=list_of(ref("Candidate")),
        history=list_of(ref("Event")),
        now=or_null("Show"),
        next=or_null("Show"),
    ),
    "Blocked": object_of(id=TEXT, name=TEXT, source=WHOLE, until=TIME_OR_NULL),
    "Resting": object_of(
        id=TEXT,
        what={"enum": ["stream", "host", "account"], "description": "what is left alone"},
        source=WHOLE,
        name={"type": "string", "description": "of the stream that was refused"},
        reason=TEXT,
        detail=TEXT,
        since=TIME,
        until=TIME,
    ),
    "Line": object_of(number=WHOLE, time=TIME, level=TEXT, logger=TEXT, text=TEXT),
    "Profile": object_of(name=TEXT, list_url=TEXT),
    "Status": object_of(
        time=TIME,
        started=TIME,
        version={"type": "string", "description": "of the proxy that answers"},
        demo=FLAG,
        proxy_not_believed=TEXT,
        exposed_at=TEXT,
        needs_login={**FLAG, "description": "whoever watches needs a link of their own"},
        base_url={"type": "string", "description": "as it was set; empty: it was not"},
        hdhomerun={**FLAG, "description": "the proxy can be added as an HDHomeRun"},
        guide=STANDING,
        list_url=TEXT,
        rules=ref("RulesFile"),
        profiles=list_of(ref("Profile")),
        stream_url=TEXT,
        channels=WHOLE,
        ready=FLAG,
        totals=ref("Totals"),
        sources=list_of(ref("Source")),
        hubs=list_of(ref("Hub")),
        blocked=list_of(ref("Blocked")),
        resting=list_of(ref("Resting")),
        events=list_of(ref("Event")),
        log=list_of(ref("Line")),
    ),
    "Channel": object_of(
        id=TEXT,
        name=TEXT,
        group=TEXT,
        logo=TEXT,
        number={"type": "string", "description": "in the served list; may be empty"},
        sources=list_of(WHOLE),
        playing=FLAG,
        now=or_null("Show"),
        next=or_null("Show"),
    ),
    "Channels": object_of(total=WHOLE, page=WHOLE, size=WHOLE, channels=list_of(ref("Channel"))),
    **RULES_SCHEMAS,
    **GUIDE_SCHEMAS,
    "Groups": object_of(groups=list_of(object_of(id=TEXT, name=TEXT, channels=WHOLE))),
}


def _answers(good: int, schema: str, *bad: int) -> Json:
    answers = {str(good): _answer("As asked.", ref(schema))}
    answers |= {str(status): _answer(_WHY[status], ref("Error")) for status in bad}
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
    422: "The file cannot be used; the error says why, with lines.",
    429: "Too many wrong tokens.",
    503: "Not ready.",
}
_NO_SECURITY: list[Json] = []
_ADMIN: list[Json] = [{"bearer": []}, {"token": []}, {"session": [], "csrf": []}]


def _get(
    summary: str, answers: Json, *parameters: Json, security: list[Json] = _NO_SECURITY
) -> Json:
    operation = {"summary": summary, "responses": answers, "security": security}
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
_MOMENT: Json = {"type": "integer", "minimum": 0, "maximum": 99999999999}
_ID_OF_CHANNEL: Json = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "of a channel",
    "schema": {"type": "string", "minLength": 1},
}
_TOKEN: Json = {"type": "object", "properties": {"token": TEXT}, "required": ["token"]}
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
    "/api/guide/now": _get(
        "What channels show now and next; of those named, or of a page of the list",
        _answers(200, "GuideNow", 400, 404, 503),
        _query("channels", "their ids, with commas between; 200 at most", _SEARCH),
        _query("group", "id of a group", _SEARCH),
        _query("page", "from 0", _PAGE),
    ),
    "/api/guide": _get(
        "Channels with their shows, 100 a page; with `q`, those with such titles, at most 100",
        _answers(200, "GuideGrid", 400, 404, 503),
        _query("from", "Unix time; now", _MOMENT),
        _query("to", "24 hours later at most; 3 hours, of a search 24", _MOMENT),
        _query("group", "id of a group", _SEARCH),
        _query("q", "what the title holds", _SEARCH),
        _query("page", "from 0", _PAGE),
    ),
    "/api/guide/channels/{id}": _get(
        "A channel's day, with all that is told of its shows",
        _answers(200, "GuideDay", 400, 404, 503),
        _ID_OF_CHANNEL,
        _query("from", "Unix time; now", _MOMENT),
        _query("to", "24 hours later at most", _MOMENT),
    ),
    "/api/guide/joins": _get(
        "Which id of which guide each channel got, by which rule, or why none",
        _answers(200, "GuideJoins", 400, 503),
        _query("state", "all without it", {"enum": list(STATES)}),
        _query("page", "from 0", _PAGE),
    ),
    "/api/rules": _get(
        "What the rules do; a report that takes long is null at first", _answers(200, "Rules")
    ),
    "/api/rules/merged": _get(
        "Channels that entries of several names became, a page at a time",
        _answers(200, "Merged", 400, 404, 503),
        _query("page", "from 0", _PAGE),
    ),
    "/api/rules/dropped": _get(
        "Entries that rules dropped, a page at a time; of very many, some",
        _answers(200, "Dropped", 400, 404, 503),
        _query("q", "words that the name holds", _SEARCH),
        _query("page", "from 0", _PAGE),
    ),
    "/api/rules/explain": _get(
        "What becomes of entries of a name, step by step",
        _answers(200, "Explained", 400, 401, 403, 404, 429, 503),
        {**_query("name", "as a list has it", {**_SEARCH, "minLength": 1}), "required": True},
        security=_ADMIN,
    ),
    "/api/rules/reload": _post(
        "Read the rules file now; nothing is fetched, and what plays goes on",
        _answers(200, "Done", 401, 403, 409, 422, 429),
    ),
    "/api/events": _get(
        "Server-sent events: `status` (as /api/status), `figures`, `event`, `log`",
        {
            "200": {"description": "No end.", "content": {"text/event-stream": {"schema": TEXT}}},
            "503": _answer("Too many pages are open.", ref("Error")),
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
