"""Attachments of resources: the DICOM file of an instance, and files that clients attach."""

from collections.abc import Callable, Mapping
from functools import partial

from werkzeug import Request, Response

from gateway.errors import NotFound
from gateway.model import Level
from gateway.rest.answers import flag, json_answer, text_answer
from gateway.rest.attached_files import AttachedFile, DicomFile, UserFile
from gateway.rest.errors import ApiError, Fault
from gateway.rest.expanded import PLURAL
from gateway.rest.lookup import resource_of, version_of
from gateway.rest.numbered import ATTACHMENTS, Numbered
from gateway.rest.revisions import etag, guard_of, is_known, not_modified, with_etag
from gateway.rest.routes import Handler, Route
from gateway.rest.services import Services
from gateway.store.attachments import Attachments

_BLOCK_BYTES = 1 << 18
_OPERATIONS = (
    "compress", "compressed-data", "compressed-md5", "compressed-size", "data", "info",
    "is-compressed", "md5", "size", "uncompress", "verify-md5", "uuid",
)  # fmt: skip
# What a GET of an operation answers.
_ANSWERS: Mapping[str, Callable[[AttachedFile], Response]] = {
    "compressed-data": lambda file: _stored(file),
    "compressed-md5": lambda file: text_answer(file.stored_md5),
    "compressed-size": lambda file: text_answer(str(file.stored_bytes)),
    "data": lambda file: _data(file),
    "info": lambda file: json_answer(_info(file)),
    "is-compressed": lambda file: text_answer("1" if file.is_compressed else "0"),
    "md5": lambda file: text_answer(file.md5),
    "size": lambda file: text_answer(str(file.size_bytes)),
    "uuid": lambda file: text_answer(file.uuid),
}


def attachment_routes(services: Services) -> tuple[Route, ...]:
    """Attachments of each level."""
    shown = _Attachments(services)
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "", shown.list),
        ("GET", "/<name>", shown.operations),
        ("PUT", "/<name>", shown.put),
        ("DELETE", "/<name>", shown.delete),
        ("POST", "/<name>/compress", partial(shown.compress, compressed=True)),
        ("POST", "/<name>/uncompress", partial(shown.compress, compressed=False)),
        ("POST", "/<name>/verify-md5", shown.verify),
        *(
            ("GET", f"/<name>/{operation}", partial(shown.get, answer=answer))
            for operation, answer in _ANSWERS.items()
        ),
    ]
    return tuple(
        Route(method, f"/{word}/<resource_id>/attachments{path}", partial(handler, level=level))
        for level, word in PLURAL.items()
        for method, path, handler in handlers
    )


class _Attachments:
    """The handlers. In the index, attachments of clients are known by their number."""

    def __init__(self, services: Services) -> None:
        settings, store = services.settings.rest, services.store
        self._services = services
        self._attachments = Attachments(store.engine, store.committer, store.files)
        self._check_revisions = settings.check_revisions
        self._names = Numbered(
            {name: each.number for name, each in settings.attachments.items()} | ATTACHMENTS
        )
        self._media_types = {each.number: each.media_type for each in settings.attachments.values()}

    def list(self, request: Request, resource_id: str, level: Level) -> Response:
        """By name; with their numbers when asked for the full list."""
        resource_of(self._services, level, resource_id)
        own = {"1"} if level is Level.INSTANCE else set()
        numbers = sorted(map(int, own | self._attachments.of(resource_id).keys()))
        names = {self._names.name(number): number for number in numbers}
        return json_answer(names if flag(request, "full") else list(names))

    def operations(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """What can be asked of an attachment."""
        return self.get(
            request, resource_id, name, level, answer=lambda file: json_answer(_OPERATIONS)
        )

    def get(
        self,
        request: Request,
        resource_id: str,
        name: str,
        level: Level,
        answer: Callable[[AttachedFile], Response],
    ) -> Response:
        """What is asked of an attachment, unless the client has it already."""
        file = self._file(level, resource_id, name)
        tag = etag(file.revision, file.tag)
        return not_modified(tag) if is_known(request, tag) else with_etag(answer(file), tag)

    def put(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """Attach what is sent."""
        resource_of(self._services, level, resource_id)
        number = self._names.user_number(name)
        if number is None:
            return Response(status=403)
        guard = guard_of(request, check=self._check_revisions)
        try:
            with self._attachments.begin(resource_id, str(number)) as arriving:
                while block := request.stream.read(_BLOCK_BYTES):
                    arriving.write(block)
                attached = arriving.keep(guard)
        except NotFound:
            raise ApiError(Fault.UNKNOWN_RESOURCE) from None
        return with_etag(json_answer({}), etag(attached.revision, attached.md5))

    def delete(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """Detach it."""
        resource_of(self._services, level, resource_id)
        number = self._names.user_number(name)
        if number is None:
            return Response(status=403)
        guard = guard_of(request, check=self._check_revisions)
        try:
            self._attachments.delete(resource_id, str(number), guard)
        except NotFound:
            raise ApiError(Fault.UNKNOWN_RESOURCE) from None
        return text_answer("")

    def compress(
        self, request: Request, resource_id: str, name: str, level: Level, compressed: bool
    ) -> Response:
        """Keep it compressed, or not."""
        self._file(level, resource_id, name).keep_compressed(compressed=compressed)
        return json_answer({})

    def verify(self, request: Request, resource_id: str, name: str, level: Level) -> Response:
        """Read it, to see that it is what was attached."""
        is_intact = self._file(level, resource_id, name).is_intact()
        return json_answer({}) if is_intact else Response(status=400)

    def _file(self, level: Level, resource_id: str, name: str) -> AttachedFile:
        """What a path names. Raises ApiError."""
        resource_of(self._services, level, resource_id)
        number = self._names.number(name)
        if number == ATTACHMENTS["dicom"] and level is Level.INSTANCE:
            return DicomFile(version_of(self._services, resource_id), self._services.store)
        attached = self._attachments.of(resource_id).get(str(number))
        if attached is None:
            raise ApiError(Fault.UNKNOWN_RESOURCE)
        media_type = self._media_types.get(number, "application/octet-stream")
        return UserFile(attached, self._attachments, media_type)


def _info(file: AttachedFile) -> dict[str, object]:
    return {
        "Uuid": file.uuid,
        "ContentType": file.number,
        "UncompressedSize": file.size_bytes,
        "CompressedSize": file.stored_bytes,
        "UncompressedMD5": file.md5,
        "CompressedMD5": file.stored_md5,
    }


def _data(file: AttachedFile) -> Response:
    response = Response(file.content(), content_type=file.media_type)
    response.content_length = file.size_bytes
    response.headers["Content-Disposition"] = f'filename="{file.file_name}"'
    return response


def _stored(file: AttachedFile) -> Response:
    response = Response(file.stored(), content_type="application/octet-stream")
    response.content_length = file.stored_bytes
    return response
