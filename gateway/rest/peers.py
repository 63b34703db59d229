"""/peers: other Orthancs and gateways, and sending instances to them over HTTP."""

import gzip
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from werkzeug import Request, Response

from gateway.errors import NotFound, RemoteError
from gateway.model import Version
from gateway.rest import fields
from gateway.rest.answers import flag, json_answer, json_body
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.exporting import (
    as_api_error,
    checked_name,
    described,
    export_of,
    instance_ids,
    log_exports,
    send_each,
    syntax_asked,
)
from gateway.rest.instance_files import InstanceFiles, Wanted
from gateway.rest.jobs import JobKind, Running
from gateway.rest.peer_json import peer_json, peer_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.submission import answer_with_job, submission_of
from gateway.store.files import DERIVED, RECEIVED, FileStorage, device_errors
from gateway.store.peers import Peer, Peers, configured_peers
from gateway.work.peer_client import PeerClient

JOB = "OrthancPeerStore"
_INSTANCES = "instances"
_GZIP_LEVEL = 1
_OPERATIONS = ("configuration", "store", "store-straight", "system")


def peer_routes(services: Services) -> tuple[Route, ...]:
    """Their list, their settings, and what is sent to them."""
    peers = Peers(
        services.store.engine,
        services.store.committer,
        configured_peers(services.settings.peers),
    )
    handlers = _Handlers(peers, services.store.files)
    sending = _PeerStore(services, peers)
    one = "/peers/<peer>"
    return (
        Route("GET", "/peers", handlers.list),
        Route("GET", one, handlers.get),
        Route("PUT", one, handlers.put),
        Route("DELETE", one, handlers.delete),
        Route("GET", f"{one}/configuration", handlers.configuration),
        Route("GET", f"{one}/system", handlers.system),
        Route("POST", f"{one}/store", sending.store),
        Route("POST", f"{one}/store-straight", handlers.store_straight),
    )


class _Handlers:
    """What is answered at once."""

    def __init__(self, peers: Peers, storage: FileStorage) -> None:
        self._peers = peers
        self._storage = storage

    def list(self, request: Request) -> Response:
        if flag(request, "expand"):
            return json_answer({name: peer_json(peer) for name, peer in self._peers.all().items()})
        return json_answer(list(self._peers))

    def get(self, request: Request, peer: str) -> Response:
        if peer not in self._peers:
            raise UnknownId
        return json_answer(_OPERATIONS)

    def configuration(self, request: Request, peer: str) -> Response:
        return json_answer(peer_json(_known(self._peers, peer)))

    def put(self, request: Request, peer: str) -> Response:
        self._peers.put(checked_name(peer), peer_of(json_body(request)))
        return Response(content_type="text/plain")

    def delete(self, request: Request, peer: str) -> Response:
        if not self._peers.remove(peer):
            raise ApiError(Fault.INEXISTENT_ITEM, f"there is no peer {peer!r}")
        return Response(content_type="text/plain")

    def system(self, request: Request, peer: str) -> Response:
        with _speaking_to(_known(self._peers, peer)) as client:
            return _passed_on(client.get("system"))

    def store_straight(self, request: Request, peer: str) -> Response:
        """Send the body, whatever it is: the peer says what it thinks of it."""
        known = _known(self._peers, peer)
        staged = self._storage.stage(RECEIVED)
        try:
            with staged.create() as file, _speaking_to(known) as client:
                shutil.copyfileobj(request.stream, file)
                file.seek(0)
                return _passed_on(client.post(_INSTANCES, file))
        finally:
            staged.discard()


class _PeerStore:
    """Sending our instances: the handler, and the job behind it."""

    def __init__(self, services: Services, peers: Peers) -> None:
        self._peers = peers
        self._catalogue = services.catalogue
        self._committer = services.store.committer
        self._storage = services.store.files
        self._files = InstanceFiles(services.catalogue, services.store.files, services.codecs)
        self._jobs = services.jobs
        self._options = services.settings.codecs.options()
        services.jobs.register(JobKind(JOB, self._carry_out, self._describe))

    def store(self, request: Request, peer: str) -> Response:
        """Send resources."""
        resource_ids, options = export_of(request)
        _known(self._peers, peer)
        asked = {
            "Peer": peer,
            "Resources": resource_ids,
            "Permissive": fields.boolean(options, "Permissive", False),
            "Compress": fields.boolean(options, "Compress", False),
            "Transcode": syntax_asked(options),
        }
        return answer_with_job(self._jobs, JOB, asked, submission_of(options))

    def _describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        known = _known(self._peers, asked["Peer"])
        content = {
            **described(asked["Resources"], len(self._instances(asked))),
            "Compress": asked["Compress"],
            "Peer": [known.url] if known.username is None else [known.url, known.username, ""],
            **_size_told(0),
        }
        if asked["Transcode"]:
            content["Transcode"] = asked["Transcode"]
        return content

    def _carry_out(self, running: Running, asked: Mapping[str, Any]) -> None:
        sent_bytes = 0

        def send(version: Version) -> None:
            nonlocal sent_bytes
            with self._opened(version.instance_id, asked) as file:
                sent_bytes += _size_of(file)
                running.tell(**_size_told(sent_bytes))
                client.post(_INSTANCES, file, encoding="gzip" if asked["Compress"] else "")

        with _speaking_to(_known(self._peers, asked["Peer"])) as client:
            send_each(
                running,
                self._catalogue,
                self._instances(asked),
                send,
                permissive=asked["Permissive"],
            )
        log_exports(self._catalogue, self._committer, asked["Resources"], asked["Peer"])

    def _instances(self, asked: Mapping[str, Any]) -> list[str]:
        return instance_ids(self._catalogue, asked["Resources"])

    @contextmanager
    def _opened(self, instance_id: str, asked: Mapping[str, Any]) -> Iterator[BinaryIO]:
        """What is sent of an instance. Raises NotFound."""
        wanted = Wanted(asked["Transcode"] or None, self._options)
        with self._files.opened(instance_id, wanted) as found:
            if found is None:
                raise NotFound(f"instance {instance_id} is not there any more")
            if not asked["Compress"]:
                yield found.file
                return
            with self._compressed(found.file) as smaller:
                yield smaller

    @contextmanager
    def _compressed(self, file: BinaryIO) -> Iterator[BinaryIO]:
        """On disk: a peer wants to know how long it is before it comes."""
        staged = self._storage.stage(DERIVED)
        try:
            with staged.create() as smaller:
                with device_errors(), gzip.GzipFile("", "wb", _GZIP_LEVEL, smaller, 0) as packer:
                    shutil.copyfileobj(file, packer)
                smaller.seek(0)
                yield smaller
        finally:
            staged.discard()


@contextmanager
def _speaking_to(peer: Peer) -> Iterator[PeerClient]:
    """Raises ApiError for what goes wrong with the peer."""
    try:
        with PeerClient(peer) as client:
            yield client
    except RemoteError as error:
        raise as_api_error(error) from error


def _known(peers: Peers, name: str) -> Peer:
    peer = peers.get(name)
    if peer is None:
        raise ApiError(Fault.UNKNOWN_RESOURCE, f"there is no peer {name!r}")
    return peer


def _passed_on(answer: bytes) -> Response:
    return Response(answer, content_type="application/json")


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _size_told(size_bytes: int) -> dict[str, Any]:
    return {"Size": str(size_bytes), "SizeMB": size_bytes >> 20}
