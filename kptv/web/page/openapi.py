"""The content of `/api/openapi.json`: the API in OpenAPI 3.1. Tests compare it with the answers."""

from __future__ import annotations

from kptv.guide.reading import STATES
from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, Kind
from kptv.restream.journal import EventKind
from kptv.web.page.admin import COOKIE, CSRF_HEADER, TOKEN_HEADER
from kptv.web.page.openapi_guide import GUIDE_SCHEMAS, STANDING, or_null
from kptv.web.page.openapi_rules import RULES_SCHEMAS
from kptv.web.page.openapi_users import USERS_PATHS, USERS_SCHEMAS
from kptv.web.page.operations import ADMIN, NO_SECURITY, answer, answers, get, in_path, post, query
from kptv.web.page.public import Json
from kptv.web.page.schema import (
    FLAG,
    NUMBER,
    RATE,
    SOURCE_OR_NULL,
    TEXT,
    TIME,
    TIME_OR_NULL,
    WAY,
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
        kind=WAY,
        address=TEXT,
        app=TEXT,
        user=TEXT,
        joined=TIME,
        behind={"type": ["number", "null"], "description": "seconds; null: not known, by HLS"},
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
        media={
            "type": "object",
            "description": "what the transport stream says of itself; `remarks`: which players may"
            " have trouble with it",
        },
        bit_rate=RATE,
        rates=list_of(RATE),
        buffer_bytes=WHOLE,
        received_bytes=WHOLE,
        sent_bytes=WHOLE,
        skips=WHOLE,
        failovers=WHOLE,
        viewers=WHOLE,
        hls_viewers={**WHOLE, "description": "of these, those who watch by HLS"},
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
        stream_url={"type": "string", "description": "of a channel, without its id behind it"},
        hls_url={"type": "string", "description": "likewise, without the id and .m3u8"},
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
    "Instance": object_of(
        name=TEXT,
        address={
            "type": "string",
            "description": "host and port of its page; without a host, it is the router's",
        },
        version=TEXT,
        started=TIME,
        ready=FLAG,
        leads={**FLAG, "description": "it fetches the lists, for all that share its DATA_DIR"},
        failed={
            **list_of(object_of(source=WHOLE, error=TEXT)),
            "description": "sources whose last import failed",
        },
        totals=ref("Totals"),
        playing=list_of(
            object_of(id=TEXT, name=TEXT, state=TEXT, source=SOURCE_OR_NULL, viewers=WHOLE)
        ),
        is_this={**FLAG, "description": "it is the one that answers"},
        age={"type": "number", "description": "seconds since it showed this"},
        stale={**FLAG, "description": "it should have shown something newer by now"},
        same_list={**FLAG, "description": "it serves the channel list that this one serves"},
    ),
    "Instances": object_of(instances=list_of(ref("Instance"))),
    **RULES_SCHEMAS,
    **GUIDE_SCHEMAS,
    **USERS_SCHEMAS,
    "Groups": object_of(groups=list_of(object_of(id=TEXT, name=TEXT, channels=WHOLE))),
}


_SEARCH: Json = {"type": "string", "maxLength": 200}
_PAGE: Json = {"type": "integer", "minimum": 0, "maximum": 999999}
_MOMENT: Json = {"type": "integer", "minimum": 0, "maximum": 99999999999}
_ID_OF_CHANNEL = in_path("id", "of a channel")
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
    "/api/status": get("All that plays, the sources, the log", answers(200, "Status")),
    "/api/instances": get(
        "What each of several instances shows of itself; empty: there is one",
        answers(200, "Instances"),
    ),
    "/api/groups": get("The groups, by name", answers(200, "Groups")),
    "/api/channels": get(
        "The channels, in the order of the list, a page at a time",
        answers(200, "Channels", 400, 404, 503),
        query("q", "words that the name holds", _SEARCH),
        query("group", "id of a group", _SEARCH),
        query("page", "from 0", _PAGE),
    ),
    "/api/guide/now": get(
        "What channels show now and next; of those named, or of a page of the list",
        answers(200, "GuideNow", 400, 404, 503),
        query("channels", "their ids, with commas between; 200 at most", _SEARCH),
        query("group", "id of a group", _SEARCH),
        query("page", "from 0", _PAGE),
    ),
    "/api/guide": get(
        "Channels with their shows, 100 a page; with `q`, those with such titles, at most 100",
        answers(200, "GuideGrid", 400, 404, 503),
        query("from", "Unix time; now", _MOMENT),
        query("to", "24 hours later at most; 3 hours, of a search 24", _MOMENT),
        query("group", "id of a group", _SEARCH),
        query("q", "what the title holds", _SEARCH),
        query("page", "from 0", _PAGE),
    ),
    "/api/guide/channels/{id}": get(
        "A channel's day, with all that is told of its shows",
        answers(200, "GuideDay", 400, 404, 503),
        _ID_OF_CHANNEL,
        query("from", "Unix time; now", _MOMENT),
        query("to", "24 hours later at most", _MOMENT),
    ),
    "/api/guide/joins": get(
        "Which id of which guide each channel got, by which rule, or why none",
        answers(200, "GuideJoins", 400, 503),
        query("state", "all without it", {"enum": list(STATES)}),
        query("page", "from 0", _PAGE),
    ),
    "/api/rules": get(
        "What the rules do; a report that takes long is null at first", answers(200, "Rules")
    ),
    "/api/rules/merged": get(
        "Channels that entries of several names became, a page at a time",
        answers(200, "Merged", 400, 404, 503),
        query("page", "from 0", _PAGE),
    ),
    "/api/rules/dropped": get(
        "Entries that rules dropped, a page at a time; of very many, some",
        answers(200, "Dropped", 400, 404, 503),
        query("q", "words that the name holds", _SEARCH),
        query("page", "from 0", _PAGE),
    ),
    "/api/rules/explain": get(
        "What becomes of entries of a name, step by step",
        answers(200, "Explained", 400, 401, 403, 404, 429, 503),
        {**query("name", "as a list has it", {**_SEARCH, "minLength": 1}), "required": True},
        security=ADMIN,
    ),
    "/api/rules/reload": post(
        "Read the rules file now; nothing is fetched, and what plays goes on",
        answers(200, "Done", 401, 403, 409, 422, 429),
    ),
    **USERS_PATHS,
    "/api/events": get(
        "Server-sent events: `status` (as /api/status), `figures`, `event`, `log`;"
        " of several instances `instances` (as /api/instances)",
        {
            "200": {"description": "No end.", "content": {"text/event-stream": {"schema": TEXT}}},
            "503": answer("Too many pages are open.", ref("Error")),
        },
    ),
    "/api/session": get("Who asks", answers(200, "Session")),
    "/api/login": post(
        "Begin a session: sets a cookie and gives the value for the X-CSRF-Token header",
        answers(200, "Session", 400, 403, 413, 415, 429),
        body=_TOKEN,
        required=True,
        security=NO_SECURITY,
    ),
    "/api/logout": post("End the session", answers(200, "Session"), security=NO_SECURITY),
    "/api/import": post(
        "Fetch all lists now; of several instances, the one that leads does",
        answers(202, "Done", 401, 403, 429, 503),
    ),
    "/api/channels/{id}/switch": post(
        "Move a playing channel to another source, at whichever instance; viewers stay connected",
        answers(202, "Done", 400, 401, 403, 404, 409, 413, 415, 429, 503),
        body=_SWITCH,
        identifier="of a channel",
    ),
    "/api/channels/{id}/stop": post(
        "End a playing channel and its viewers, at whichever instance",
        answers(202, "Done", 401, 403, 404, 429, 503),
        identifier="of a channel",
    ),
    "/api/streams/{id}/unblock": post(
        "Let a stream be tried again at once",
        answers(200, "Done", 401, 403, 404, 429, 503)
        | {"202": answer("It is not at this instance; the others are told.", ref("Done"))},
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
