"""What Plex, Emby, Jellyfin and Channels ask a HDHomeRun tuner over HTTP; see ``devices``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from uuid import NAMESPACE_URL, uuid5

from flask import Blueprint, Response, request
from flask import json as flask_json

from kptv.channels.lineup import TUNE_PATH
from kptv.channels.profiles import PROFILE_PATH
from kptv.formats.hdhomerun import (
    FIRMWARE_NAME,
    FIRMWARE_VERSION,
    MODEL_NUMBER,
    device_id_text,
)
from kptv.web.endless import endless, unframed
from kptv.web.lines import line
from kptv.web.players.devices import FORMS, Devices, Tuner
from kptv.web.players.directions import duration_asked
from kptv.web.players.lists import NO_PROFILE
from kptv.web.players.player import Answer, Player, Refusal
from kptv.web.rendered import how_to_keep

ERROR_HEADER = "X-HDHomeRun-Error"
# Codes and texts of the header that tells clients why nothing comes.
_ERRORS = {
    Refusal.UNKNOWN: "801 Unknown Channel",
    Refusal.CROWDED: "805 All Tuners In Use",
    Refusal.LIMIT: "805 All Tuners In Use",
    Refusal.IN_USE: "805 All Tuners In Use",
    Refusal.BROKEN: "807 No Video Data",
}


def hdhomerun_blueprint(devices: Devices, player: Player) -> Blueprint:
    """The routes of the devices: one at the root, one below each profile."""
    blueprint = Blueprint("hdhomerun", __name__)

    def add(path: str, view: Callable[..., Response], *methods: str) -> None:
        for start in ("", f"{PROFILE_PATH}<profile>"):
            endpoint = f"{start}{path}".replace(".", " ")
            blueprint.add_url_rule(f"{start}{path}", endpoint, view, methods=methods or ("GET",))

    @endless
    @unframed
    def tune(number: int, profile: str | None = None, tuner: int = 0) -> Response:
        device = devices.asked_for(profile)
        channel = None if device is None else devices.tuned(device, number)
        return _with_reason(player.answer(channel, duration_asked()))

    for path, told in _TOLD.items():
        add(path, partial(_of_device, devices, told))
    add("/lineup.post", partial(_of_device, devices, _scanned), "GET", "POST")
    for form in FORMS:
        add(f"/lineup.{form}", partial(_of_device, devices, partial(_lineup, devices, form)))
    add(f"{TUNE_PATH}<int:number>", tune)
    add("/tuner<int:tuner>/v<int:number>", tune)
    return blueprint


def _of_device(
    devices: Devices, view: Callable[[Tuner], Response], profile: str | None = None
) -> Response:
    """What ``view`` gives of the device that is asked for."""
    device = devices.asked_for(profile)
    if device is None:
        return line(404, NO_PROFILE)
    return view(device)


def _lineup(devices: Devices, form: str, device: Tuner) -> Response:
    if request.args.get("show") == "favorites":
        return _json([])  # nobody has any
    return devices.lineup(device, form)


def _scanned(_: Tuner) -> Response:
    """A search for channels, whether it is to begin or to end: it has always ended already."""
    return _short("", "text/plain; charset=utf-8")


def _scanning(_: Tuner) -> Response:
    return _json(
        {
            "ScanInProgress": 0,
            "ScanPossible": 1,  # with 0, Plex ends its search with no channel at all
            "Source": "Cable",
            "SourceList": ["Cable"],
        }
    )


def _discovered(device: Tuner) -> Response:
    return _json(
        {
            "FriendlyName": device.name,
            "ModelNumber": MODEL_NUMBER,
            "FirmwareName": FIRMWARE_NAME,
            "FirmwareVersion": FIRMWARE_VERSION,
            "DeviceID": device_id_text(device.id),
            "DeviceAuth": "",  # a real one opens SiliconDust's guide
            "BaseURL": device.base,
            "LineupURL": f"{device.base}/lineup.json",
            "TunerCount": device.tuners,
        }
    )


def _described(device: Tuner) -> Response:
    """UPnP's description, which old clients read."""
    number, name = device_id_text(device.id), escape(device.name)
    return _short(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<URLBase>{escape(device.base)}</URLBase>
<device>
<deviceType>urn:schemas-upnp-org:device:MediaServer:1</deviceType>
<friendlyName>{name}</friendlyName>
<manufacturer>Silicondust</manufacturer>
<modelName>{MODEL_NUMBER}</modelName>
<modelNumber>{MODEL_NUMBER}</modelNumber>
<serialNumber>{number}</serialNumber>
<UDN>uuid:{uuid5(NAMESPACE_URL, f"hdhomerun:{number}")}</UDN>
</device>
</root>
""",
        "application/xml; charset=utf-8",
    )


def _with_reason(answer: Answer) -> Response:
    if answer.refusal is not None:
        answer.response.headers[ERROR_HEADER] = _ERRORS[answer.refusal]
    return answer.response


def _json(value: object) -> Response:
    return _short(flask_json.dumps(value), "application/json")


def _short(text: str, media_type: str) -> Response:
    response = Response(text, content_type=media_type)
    response.headers["Cache-Control"] = how_to_keep()
    return response


_TOLD: dict[str, Callable[[Tuner], Response]] = {
    "/discover.json": _discovered,
    "/lineup_status.json": _scanning,
    "/device.xml": _described,
}
