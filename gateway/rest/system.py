"""What the gateway is, how much it holds, what time it has; and its end, or its new start."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.uid import generate_uid
from werkzeug import Request, Response

from gateway import __version__
from gateway.config.models import Configuration
from gateway.dicom.main_tags import MAIN_TAGS
from gateway.dicom.syntaxes import lookup
from gateway.model import Level
from gateway.rest.answers import json_answer, nothing, text_answer
from gateway.rest.conformance import conformance_statement
from gateway.rest.errors import UnknownId
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.times import basic_format
from gateway.store.totals import totals

# Clients compare these to learn what they may use: labels, the last thing that we have of Orthanc,
# came with this version. What came later they must not expect.
ORTHANC_VERSION, ORTHANC_API_VERSION = "1.12.0", 20
_DATABASE_VERSION = 6
_HOME = """<!DOCTYPE html>
<title>DICOM gateway</title>
<h1>DICOM gateway</h1>
<p>This is its REST interface, which speaks as Orthanc's does.
<a href="openapi.json">openapi.json</a> describes it; here are the
<a href="system">system</a>, the <a href="statistics">statistics</a> and the
<a href="metrics">metrics</a>.</p>
"""


def system_routes(services: Services) -> tuple[Route, ...]:
    """/system, /statistics, /plugins, and the tools that need no data."""

    def system(request: Request) -> Response:
        return json_answer(system_information(services.settings))

    def statistics(request: Request) -> Response:
        return json_answer(_statistics(services))

    def conformance(request: Request) -> Response:
        return text_answer(conformance_statement(services.settings, services.reception))

    return (
        Route("GET", "/", _home),
        Route("GET", "/system", system),
        Route("GET", "/statistics", statistics),
        Route("GET", "/plugins", lambda request: json_answer([])),
        Route("GET", "/plugins/<plugin>", _no_plugin),
        Route("GET", "/tools/now", _now(lambda: datetime.now(UTC))),
        Route("GET", "/tools/now-local", _now(lambda: datetime.now().astimezone())),
        Route("GET", "/tools/generate-uid", _generate_uid),
        Route("GET", "/tools/dicom-conformance", conformance),
        Route("POST", "/tools/reset", _after(services.restart)),
        Route("POST", "/tools/shutdown", _after(services.stop)),
    )


def system_information(settings: Configuration) -> dict[str, Any]:
    """What /system tells. The keys are Orthanc's; GatewayVersion is our own."""
    return {
        "ApiVersion": ORTHANC_API_VERSION,
        "Capabilities": {"HasExtendedChanges": False, "HasExtendedFind": False},
        "CheckRevisions": settings.rest.check_revisions,
        "DatabaseBackendPlugin": None,
        "DatabaseVersion": _DATABASE_VERSION,
        "DicomAet": settings.dicom.aet,
        "DicomPort": settings.dicom.port,
        "GatewayVersion": __version__,
        "HasLabels": True,
        "HttpPort": settings.http.port,
        "IngestTranscoding": _uid_of(settings.store.transcode.to),
        "IsHttpServerSecure": not settings.http.remote_access or bool(settings.http.users),
        "MainDicomTags": {
            level.value: ";".join(map(_tag_text, keywords)) for level, keywords in MAIN_TAGS.items()
        },
        "MaximumPatientCount": settings.store.maximum_patients,
        "MaximumStorageMode": settings.store.when_full.capitalize(),
        "MaximumStorageSize": settings.store.maximum_size_mb,
        "Name": settings.rest.name or settings.dicom.aet,
        "OverwriteInstances": settings.store.duplicates == "overwrite",
        "PluginsEnabled": False,
        "ReadOnly": False,
        "StorageAreaPlugin": None,
        "StorageCompression": False,
        "UserMetadata": dict(settings.rest.metadata),
        "Version": ORTHANC_VERSION,
    }


def _uid_of(syntax: str | None) -> str:
    return lookup(syntax).uid if syntax else ""


def _tag_text(keyword: str) -> str:
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    return f"{tag.group:04x},{tag.element:04x}"


def _statistics(services: Services) -> Mapping[str, Any]:
    found = totals(services.store.engine)
    size, size_mb = str(found.size_bytes), found.size_bytes >> 20
    return {
        "CountPatients": found.resources[Level.PATIENT],
        "CountStudies": found.resources[Level.STUDY],
        "CountSeries": found.resources[Level.SERIES],
        "CountInstances": found.resources[Level.INSTANCE],
        "TotalDiskSize": size,
        "TotalDiskSizeMB": size_mb,
        "TotalUncompressedSize": size,
        "TotalUncompressedSizeMB": size_mb,
    }


def _home(request: Request) -> Response:
    return Response(_HOME, content_type="text/html; charset=utf-8")


def _no_plugin(request: Request, plugin: str) -> Response:
    raise UnknownId


def _now(clock: Callable[[], datetime]) -> Callable[[Request], Response]:
    return lambda request: text_answer(basic_format(clock()))


def _generate_uid(request: Request) -> Response:
    """A patient has an identifier of any kind; what is below has UIDs (PS3.5 B.2)."""
    level = request.args.get("level", "")
    if level == "patient":
        return text_answer(str(uuid4()))
    if level in ("study", "series", "instance"):
        return text_answer(str(generate_uid(prefix=None)))
    raise UnknownId


def _after(action: Callable[[], None]) -> Callable[[Request], Response]:
    """Have something done that ends this server; this answer still goes out."""

    def handle(request: Request) -> Response:
        action()
        return nothing()

    return handle
