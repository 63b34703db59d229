"""/changes and /exports: logs that clients follow."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from werkzeug import Request, Response

from gateway.model import Level
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.expanded import path_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.changes import Change, ChangeLog, Entry, Export, Page
from gateway.store.times import basic_format

_DEFAULT_LIMIT = 100


def change_routes(services: Services) -> tuple[Route, ...]:
    """Both logs: read by the page, asked for the newest entry, cleared."""
    log = ChangeLog(services.store.engine, services.store.committer)

    def changes(request: Request) -> Response:
        page = _asked(request, log.changes, log.last_change)
        return _answer(page, "Changes", _change)

    def exports(request: Request) -> Response:
        page = _asked(request, log.exports, log.last_export)
        return _answer(page, "Exports", _export)

    def forget_changes(request: Request) -> Response:
        log.forget_changes()
        return text_answer("")

    def forget_exports(request: Request) -> Response:
        log.forget_exports()
        return text_answer("")

    return (
        Route("GET", "/changes", changes),
        Route("DELETE", "/changes", forget_changes),
        Route("GET", "/exports", exports),
        Route("DELETE", "/exports", forget_exports),
    )


def _asked(
    request: Request, page: Callable[[int, int], Page[Entry]], newest: Callable[[], Page[Entry]]
) -> Page[Entry]:
    if "last" in request.args:
        return newest()
    limit = _count(request, "limit", _DEFAULT_LIMIT)
    return page(_count(request, "since", 0), limit)


def _count(request: Request, name: str, default: int) -> int:
    """As Orthanc, which takes what is no number for the default."""
    text = request.args.get(name, "")
    return min(int(text), 1 << 62) if text.isascii() and text.isdecimal() else default


def _answer(
    page: Page[Entry], name: str, as_json: Callable[[Entry], Mapping[str, Any]]
) -> Response:
    entries = [as_json(entry) for entry in page.entries]
    return json_answer({name: entries, "Done": page.is_done, "Last": page.last})


def _change(change: Change) -> dict[str, Any]:
    return {"ChangeType": change.kind} | _entry(
        change.number, change.level, change.resource_id, change.at
    )


def _export(export: Export) -> dict[str, Any]:
    return {
        "RemoteModality": export.remote,
        **export.identifiers,
        **_entry(export.number, export.level, export.resource_id, export.at),
    }


def _entry(number: int, level: Level, resource_id: str, at: datetime) -> dict[str, Any]:
    return {
        "Seq": number,
        "Date": basic_format(at),
        "ResourceType": str(level),
        "ID": resource_id,
        "Path": path_of(level, resource_id),
    }
