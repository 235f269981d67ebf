"""`/api/…`: all that the status page shows, as JSON; see also openapi.py and actions.py."""

from __future__ import annotations

from flask import Blueprint, Response, request

from kptv.pace import Pace
from kptv.web.caller import caller
from kptv.web.clients import Clients
from kptv.web.endless import endless
from kptv.web.page.directory import PAGE, Directory
from kptv.web.page.events import EventStream
from kptv.web.page.instances import Instances, alone
from kptv.web.page.json_answers import Refused, answer, new_blueprint, page_number, query
from kptv.web.page.openapi import description
from kptv.web.page.view import View


def api_blueprint(
    view: View,
    events: EventStream,
    directory: Directory,
    clients: Clients,
    instances: Instances = alone,
) -> Blueprint:
    """The routes that read."""
    blueprint = new_blueprint("api")

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return answer(description())

    @blueprint.get("/status")
    def status() -> Response:
        return answer(view.status())

    @blueprint.get("/instances")
    def all_instances() -> Response:
        return answer(instances())

    @blueprint.get("/groups")
    def groups() -> Response:
        found = directory.groups()
        return answer({"groups": [{"id": i, "name": n, "channels": c} for i, n, c in found]})

    @blueprint.get("/channels")
    def channels() -> Response:
        return _channels(view, directory)

    @blueprint.get("/events")
    @endless
    def listen() -> Response:
        listener = events.listen(clients.address(request), caller())
        if listener is None:
            raise Refused(503, "Too many pages are open.")
        response = Response(content_type="text/event-stream", direct_passthrough=True)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.response = listener
        return response

    return blueprint


def _channels(view: View, directory: Directory) -> Response:
    page, words, group = page_number(), query("q"), query("group")
    found = directory.find(words, group)
    if found is None and group and view.ready:
        raise Refused(404, "No such group.")
    if found is None:
        raise Refused(503, "No channel list has been imported yet.")
    playing = view.playing()
    items, pace, numbers = [], Pace(), found.catalog.numbers
    positions = found.positions[page * PAGE : (page + 1) * PAGE]
    channels = [found.catalog.channel(position) for position in positions]
    beside = view.shows.beside([channel.slug for channel in channels])
    for position, channel in zip(positions, channels, strict=True):
        items.append(
            {
                "id": channel.slug,
                **view.channel(channel),
                "number": view.number(channel, numbers[position] if numbers else 0),
                "sources": [stream.source.number for stream in channel.streams],
                "playing": channel.slug in playing,
                **beside[channel.slug],
            }
        )
        pace()
    total = len(found.positions)
    return answer({"total": total, "page": page, "size": PAGE, "channels": items})
