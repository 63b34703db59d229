"""Metadata of resources: what the gateway notes, which is read only, and what clients note."""

from functools import lru_cache, partial
from pathlib import Path

from werkzeug import Request, Response

from gateway.dicom.part10 import pixel_data_offset
from gateway.dicom.series import expected_instances, index_in_series
from gateway.errors import InstanceUnreadable, NotFound
from gateway.model import Level, Resource
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.errors import ApiError, Fault
from gateway.rest.expanded import PLURAL
from gateway.rest.lookup import resource_of
from gateway.rest.numbered import METADATA, Numbered
from gateway.rest.revisions import etag, guard_of, is_known, not_modified, with_etag
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.resource_metadata import Metadatum, UserMetadata
from gateway.store.times import basic_format


def metadata_routes(services: Services) -> tuple[Route, ...]:
    """Metadata of each level."""
    shown = _Metadata(services)
    return tuple(
        Route(method, f"/{word}/<resource_id>/metadata{path}", partial(handler, level=level))
        for level, word in PLURAL.items()
        for method, path, handler in (
            ("GET", "", shown.list),
            ("GET", "/<name>", shown.get),
            ("PUT", "/<name>", shown.put),
            ("DELETE", "/<name>", shown.delete),
        )
    )


class _Metadata:
    """The handlers. In the index, notes of clients are known by their number."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._metadata = UserMetadata(services.store.engine, services.store.committer)
        self._check_revisions = services.settings.rest.check_revisions
        self._names = Numbered(services.settings.rest.metadata | METADATA)

    def list(self, request: Request, resource_id: str, level: Level) -> Response:
        """By number or by name; with their values when they are to be expanded."""
        known = self._known(resource_of(self._services, level, resource_id))
        numbers = sorted(known)
        is_numeric = "numeric" in request.args
        if "expand" not in request.args:
            return json_answer(numbers if is_numeric else list(map(self._names.name, numbers)))
        return json_answer(
            {
                str(number) if is_numeric else self._names.name(number): known[number].value
                for number in numbers
            }
        )

    def get(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """One value, as text."""
        resource = resource_of(self._services, level, resource_id)
        note = self._known(resource).get(self._names.number(name))
        if note is None:
            return Response(status=404)
        tag = etag(note.revision, note.md5)
        if is_known(request, tag):
            return not_modified(tag)
        return with_etag(text_answer(note.value), tag)

    def put(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """Note something."""
        resource_of(self._services, level, resource_id)
        number = self._names.user_number(name)
        if number is None:
            return Response(status=403)
        try:
            value = request.get_data().decode()
        except UnicodeDecodeError:
            raise ApiError(Fault.BAD_REQUEST, "metadata are text in UTF-8") from None
        guard = guard_of(request, check=self._check_revisions)
        try:
            note = self._metadata.put(resource_id, str(number), value, guard)
        except NotFound:
            raise ApiError(Fault.UNKNOWN_RESOURCE) from None
        return with_etag(text_answer(""), etag(note.revision, note.md5))

    def delete(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """Forget a note."""
        resource_of(self._services, level, resource_id)
        number = self._names.user_number(name)
        if number is None:
            return Response(status=403)
        guard = guard_of(request, check=self._check_revisions)
        try:
            self._metadata.delete(resource_id, str(number), guard)
        except NotFound:
            raise ApiError(Fault.UNKNOWN_RESOURCE) from None
        return text_answer("")

    def _known(self, resource: Resource) -> dict[int, Metadatum]:
        """All that is noted, by number."""
        notes = self._metadata.of(resource.level, resource.resource_id)
        notes |= {name: Metadatum(value) for name, value in self._derived(resource).items()}
        return {self._names.number(name): note for name, note in notes.items()}

    def _derived(self, resource: Resource) -> dict[str, str]:
        """What follows from the tags, and from the file."""
        known: dict[str, object] = {}
        if resource.level is Level.INSTANCE:
            known["IndexInSeries"] = index_in_series(resource.main_tags)
            known["PixelDataOffset"] = self._pixel_data_offset(resource.resource_id)
        else:
            known["LastUpdate"] = basic_format(resource.last_update)
        if resource.level is Level.SERIES:
            known["ExpectedNumberOfInstances"] = expected_instances(resource.main_tags)
        return {name: str(value) for name, value in known.items() if value is not None}

    def _pixel_data_offset(self, instance_id: str) -> int | None:
        version = self._services.catalogue.version(instance_id)
        if version is None:
            return None
        return _offset_in(self._services.store.files.path(version.storage_key))


@lru_cache(maxsize=4096)
def _offset_in(path: Path) -> int | None:
    """Files do not change: it is looked for once."""
    try:
        return pixel_data_offset(path)
    except InstanceUnreadable:
        return None
