"""Zip files of patients, studies and series: /archive with folders, /media with a DICOMDIR.

They are streamed as they are made, or made by a job that keeps the file for its client to fetch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from werkzeug import Request, Response

from gateway.dicom import syntaxes
from gateway.model import Resource
from gateway.rest import fields
from gateway.rest.answers import flag, json_body, number
from gateway.rest.archive_plan import Member, archive_members, instances_of, media_members
from gateway.rest.archive_stream import Form, archive_pieces
from gateway.rest.errors import ApiError, Fault
from gateway.rest.instance_files import InstanceFiles, Wanted
from gateway.rest.jobs import JobKind, Running
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.submission import answer_with_job, submission_of
from gateway.store.files import device_errors

OUTPUT_NAME = "archive"
_ZIP = "application/zip"
_ARCHIVE, _MEDIA = "Archive", "Media"
_SYNTAXES = frozenset(syntax.uid for syntax in syntaxes.ALL)


def archive_routes(services: Services) -> tuple[Route, ...]:
    """For single resources, and for lists of them."""
    archives = _Archives(services)
    for kind in (_ARCHIVE, _MEDIA):
        services.jobs.register(JobKind(kind, archives.carry_out, archives.describe))
    return (
        *_routes_of_resources("archive", archives, media=False),
        *_routes_of_resources("media", archives, media=True),
        *_routes_of_lists("create-archive", archives, media=False),
        *_routes_of_lists("create-media", archives, media=True),
        *_routes_of_lists("create-media-extended", archives, media=True, extended=True),
    )


def _routes_of_resources(name: str, archives: "_Archives", *, media: bool) -> Iterator[Route]:
    """Of any level: as with Orthanc, the id alone says what is meant."""

    def get(request: Request, resource_id: str) -> Response:
        wanted = _asked_in_query(request, [resource_id], media=media, extended=False)
        return archives.stream(wanted, resource_id)

    def post(request: Request, resource_id: str) -> Response:
        body = json_body(request)
        options = body if isinstance(body, dict) else {}
        wanted = _asked_in_body(options, [resource_id], media=media, extended=False)
        return archives.answer(wanted, options, resource_id)

    for level in ("patients", "studies", "series"):
        path = f"/{level}/<resource_id>/{name}"
        yield Route("GET", path, get)
        yield Route("POST", path, post)


def _routes_of_lists(
    name: str, archives: "_Archives", *, media: bool, extended: bool = False
) -> Iterator[Route]:
    def get(request: Request) -> Response:
        ids = [each for each in request.args.get("resources", "").split(",") if each]
        wanted = _asked_in_query(request, ids, media=media, extended=extended)
        return archives.stream(wanted, "Archive")

    def post(request: Request) -> Response:
        body = json_body(request)
        options = body if isinstance(body, dict) else {}
        wanted = _asked_in_body(options, _ids_in(body), media=media, extended=extended)
        return archives.answer(wanted, options, "Archive")

    yield Route("GET", f"/tools/{name}", get)
    yield Route("POST", f"/tools/{name}", post)


# --- what is asked for: JSON, as a job keeps it --------------------------------------------------


def _asked_in_query(
    request: Request, resource_ids: Sequence[str], *, media: bool, extended: bool
) -> dict[str, Any]:
    options: dict[str, Any] = {"Extended": extended or flag(request, "extended")}
    if "transcode" in request.args:
        options["Transcode"] = request.args["transcode"]
    if "lossy-quality" in request.args:
        options["LossyQuality"] = number(request, "lossy-quality", 0)
    return _asked_in_body(options, resource_ids, media=media, extended=extended)


def _asked_in_body(
    options: Mapping[str, Any], resource_ids: Sequence[str], *, media: bool, extended: bool
) -> dict[str, Any]:
    """Raises ApiError."""
    asked: dict[str, Any] = {
        "Resources": list(resource_ids),
        "Media": media,
        "Extended": fields.boolean(options, "Extended", extended) if media else False,
    }
    if "Transcode" in options:
        asked["Transcode"] = _syntax_of(fields.text(options, "Transcode"))
        if "LossyQuality" in options:
            asked["LossyQuality"] = _quality_of(fields.integer(options, "LossyQuality", 0))
    return asked


def _ids_in(body: Any) -> list[str]:
    """The ids of a list, or of an object's Resources. Raises ApiError."""
    if isinstance(body, dict):
        if "Resources" not in body:
            raise ApiError(Fault.BAD_FILE_FORMAT, "Resources is missing")
        body = body["Resources"]
    if not isinstance(body, list) or not all(isinstance(each, str) for each in body):
        raise ApiError(Fault.BAD_FILE_FORMAT, "resources have to be a list of their ids")
    return body


def _syntax_of(uid: str) -> str:
    if uid not in _SYNTAXES:
        raise ApiError(Fault.OUT_OF_RANGE, f"{uid!r} is no transfer syntax")
    return uid


def _quality_of(quality: int) -> int:
    if not 1 <= quality <= 100:
        raise ApiError(Fault.OUT_OF_RANGE, "LossyQuality has to be from 1 to 100")
    return quality


# --- what is done about it -----------------------------------------------------------------------


class _Archives:
    """Makes archives, at once or in jobs."""

    def __init__(self, services: Services) -> None:
        self._catalogue = services.catalogue
        self._jobs = services.jobs
        self._files = InstanceFiles(services.catalogue, services.store.files, services.codecs)
        self._options = services.settings.codecs.options()

    def answer(self, asked: Mapping[str, Any], options: Mapping[str, Any], name: str) -> Response:
        """What a POST asks for: the archive, or a job that makes it."""
        submission = submission_of(options)
        if submission.synchronous:
            return self.stream(asked, name)
        self._instances(asked)  # an id that names nothing is told now
        kind = _MEDIA if asked["Media"] else _ARCHIVE
        return answer_with_job(self._jobs, kind, asked, submission)

    def stream(self, asked: Mapping[str, Any], name: str) -> Response:
        """The archive, made while it is sent. Raises ApiError."""
        return Response(
            archive_pieces(self._members(asked), self._files, self._form(asked)),
            content_type=_ZIP,
            headers={"Content-Disposition": f'filename="{name}.zip"'},
        )

    def describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of a job before it has begun."""
        size_bytes = sum(self._sizes(asked).values())
        content = {
            "Description": "REST API",
            "InstancesCount": len(self._instances(asked)),
            **_sizes_told("Uncompressed", size_bytes),
            **_sizes_told("Archive", 0),
        }
        if "Transcode" in asked:
            content["Transcode"] = asked["Transcode"]
        return content

    def carry_out(self, running: Running, asked: Mapping[str, Any]) -> None:
        """The work of a job. Raises ApiError, StorageFull, StoreError."""
        members = self._members(asked)
        pieces = archive_pieces(
            members,
            self._files,
            self._form(asked),
            progress=lambda done: running.progress(done, len(members)),
        )
        size_bytes = 0
        with device_errors(), running.output(OUTPUT_NAME, _ZIP).open("wb") as file:
            for piece in pieces:
                size_bytes += file.write(piece)
        running.tell(**_sizes_told("Archive", size_bytes))

    def _form(self, asked: Mapping[str, Any]) -> Form:
        options = self._options
        if "LossyQuality" in asked:
            options = replace(options, quality=asked["LossyQuality"])
        return Form(asked["Media"], asked["Extended"], Wanted(asked.get("Transcode"), options))

    def _members(self, asked: Mapping[str, Any]) -> list[Member]:
        named = media_members if asked["Media"] else archive_members
        return named(self._catalogue, self._instances(asked))

    def _instances(self, asked: Mapping[str, Any]) -> list[Resource]:
        return instances_of(self._catalogue, asked["Resources"])

    def _sizes(self, asked: Mapping[str, Any]) -> dict[str, int]:
        """The size of each instance's file, by its id."""
        resources = (self._catalogue.get(each) for each in asked["Resources"])
        return {
            version.instance_id: version.size_bytes
            for resource in resources
            if resource is not None
            for version in self._catalogue.versions(resource)
        }


def _sizes_told(prefix: str, size_bytes: int) -> dict[str, Any]:
    return {f"{prefix}Size": str(size_bytes), f"{prefix}SizeMB": size_bytes >> 20}
