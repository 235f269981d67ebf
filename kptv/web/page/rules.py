"""`/api/rules…`: what the rules do, for people; and reading the file again."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from kptv.channels.catalog import Catalog, Ruled
from kptv.channels.grouping import normalised
from kptv.channels.rules.outcome import Dropped
from kptv.channels.rules.report.explaining import explained
from kptv.channels.rules.report.listed import ListedEntry, entries_called
from kptv.config.rules_file import Look, RulesFile
from kptv.pace import Pace, drive
from kptv.web.page.admin import Admin
from kptv.web.page.everywhere import Everywhere
from kptv.web.page.json_answers import Refused, answer, new_blueprint, page_number, permit, query
from kptv.web.page.public import Json, Public
from kptv.web.page.reports import Reports
from kptv.web.page.rules_view import (
    dropped_view,
    explanation_view,
    merged_view,
    report_view,
    ruled_view,
    rules_file_view,
)

PAGE = 50  # channels, or dropped entries
REPORT_WAIT = 5.0  # seconds; the answer leaves out a report that takes longer
_MOST_EXPLAINED = 5  # entries of one name
_MOST_TOLD = 10  # complaints


def rules_blueprint(
    admin: Admin,
    file: RulesFile,
    reload_now: Callable[[], Look | None],
    reports: Reports,
    public: Public,
    everywhere: Everywhere,
) -> Blueprint:
    """The routes of the Rules view. ``reload_now`` gives None while that goes on already."""
    blueprint = new_blueprint("rules")

    def reload_here(_: Json) -> str:
        if file.path is None:
            raise Refused(409, "There is no place for a rules file: set RULES.")
        look = reload_now()
        if look is None:
            raise Refused(409, "The rules are being read already.")
        return _looked(look, public)

    everywhere.on("reload", reload_here)

    @blueprint.get("/rules")
    def rules() -> Response:
        report = reports.get(REPORT_WAIT)
        catalog = reports.current_catalog()
        ruled = catalog.ruled if catalog is not None else None
        return answer(
            {
                "file": rules_file_view(file, catalog, public),
                "ruled": ruled_view(ruled, public) if ruled else None,
                "report": report_view(report, public) if report else None,
            }
        )

    @blueprint.get("/rules/merged")
    def merged() -> Response:
        catalog, ruled = _ruled(reports)
        return answer(_merged(catalog, ruled, page_number(), public))

    @blueprint.get("/rules/dropped")
    def dropped() -> Response:
        _, ruled = _ruled(reports)
        return answer(_dropped(ruled, query("q"), page_number(), public))

    @blueprint.get("/rules/explain")
    def explain() -> Response:
        permit(admin, request)
        name = query("name").strip()
        if not name:
            raise Refused(400, "name is wanted, as a list has it.")
        return answer(_explained(reports, name, public))

    @blueprint.post("/rules/reload")
    def reload() -> Response:
        permit(admin, request)
        return answer({"done": everywhere.act("reload", {})})

    return blueprint


def _ruled(reports: Reports) -> tuple[Catalog, Ruled]:
    """Raises Refused."""
    catalog = reports.current_catalog()
    if catalog is None:
        raise Refused(503, "No channel list has been imported yet.")
    if catalog.ruled is None:
        raise Refused(404, "There are no rules.")
    return catalog, catalog.ruled


def _merged(catalog: Catalog, ruled: Ruled, page: int, public: Public) -> Json:
    positions, pace, channels = ruled.outcome.merged, Pace(), []
    for position in positions[page * PAGE : (page + 1) * PAGE]:
        if catalog.ruled is None:
            raise Refused(503, "The channel list was replaced just now.")
        channels.append(merged_view(catalog, position, public))
        pace()
    return {"total": len(positions), "page": page, "size": PAGE, "channels": channels}


def _dropped(ruled: Ruled, words: str, page: int, public: Public) -> Json:
    wanted, pace, found = normalised(words).split(), Pace(), []
    for number, entry in enumerate(ruled.outcome.dropped_entries):
        if not wanted or _has(entry, wanted):
            found.append(entry)
        if number % 16 == 0:
            pace()
    entries = []
    for entry in found[page * PAGE : (page + 1) * PAGE]:
        entries.append(dropped_view(entry, public))
        pace()
    return {"total": len(found), "page": page, "size": PAGE, "entries": entries}


def _has(entry: Dropped, words: list[str]) -> bool:
    name = normalised(entry.name)
    return all(word in name for word in words)


def _explained(reports: Reports, name: str, public: Public) -> Json:
    listings = reports.listings()
    found = drive(entries_called(listings, name))
    catalog, _ = _ruled(reports)  # after the wait: another may have taken its place
    source = next(iter(catalog.sources.values()))
    entries = found[:_MOST_EXPLAINED] or [ListedEntry(name, source.tag, source.number)]
    told, pace = [], Pace()
    for entry in entries:
        if catalog.ruled is None:
            raise Refused(503, "The channel list was replaced just now.")
        told.append(explanation_view(explained(catalog, entry, is_listed=bool(found)), public))
        pace()
    return {"total": len(found), "entries": told}


def _looked(look: Look, public: Public) -> str:
    """What came of it. Raises Refused."""
    if look.complaints:
        told = "; ".join(public.text(str(each)) for each in look.complaints[:_MOST_TOLD])
        raise Refused(422, f"The rules from before hold: {told}")
    if not look.has_changed:
        return "There is no rules file." if look.rules is None else "The rules are as before."
    return "The rules were read again." if look.rules else "The rules are gone: all is as listed."
