"""A real Orthanc, and a gateway beside it over the same images: asked the same, they answer alike.

The expected differences are named, each with its reason; docs/differences-from-orthanc.md tells
them to users.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from gateway_process import GatewayProcess
from ports import free_port
from waiting import wait_until

ORTHANC = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
# Without it, every answer of Orthanc's DICOM server waits for a delayed acknowledgement.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
_START_TIMEOUT_S = 60.0


def client_of(base_url: str) -> httpx.Client:
    """A client of either server.

    Orthanc closes what was idle for a second: no request may go the way that is just being closed.
    """
    return httpx.Client(base_url=base_url, timeout=60, limits=httpx.Limits(keepalive_expiry=0.25))


@dataclass(frozen=True)
class Request:
    """One HTTP request. json: sent as a JSON body; content: sent as it is.

    unlike: keys, at any depth of the JSON answer, whose values are not compared, with the reason.
    shape_only: only status and type of the answer are compared, with the reason.
    """

    method: str
    path: str
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    unlike: Mapping[str, str] = field(default_factory=dict)
    shape_only: str = ""

    def __str__(self) -> str:
        body = "" if self.json is None else " " + json.dumps(self.json)
        return f"{self.method} {self.path}{body[:80]}"


@dataclass(frozen=True)
class Server:
    """One of the two, as a client sees it."""

    name: str
    client: httpx.Client
    dicom_port: int

    def ask(self, request: Request) -> httpx.Response:
        return self.client.request(
            request.method,
            request.path,
            json=request.json,
            content=request.content,
            headers=dict(request.headers),
        )


@dataclass(frozen=True)
class Pair:
    """Both servers over the same images."""

    orthanc: Server
    gateway: Server

    def upload(self, paths: Sequence[Path]) -> None:
        """Store the same files in both, over HTTP."""
        for path in paths:
            request = Request("POST", "/instances", content=path.read_bytes())
            for server in (self.orthanc, self.gateway):
                assert server.ask(request).status_code == 200, (server.name, path.name)

    def assert_alike(self, request: Request) -> None:
        """Ask both, and compare status, type and body."""
        assert_same(request, self.orthanc.ask(request), self.gateway.ask(request))


def assert_same(request: Request, theirs: httpx.Response, ours: httpx.Response) -> None:
    """Compare status, type and body of two answers to a request."""
    assert ours.status_code == theirs.status_code, (ours.text[:500], theirs.text[:500])
    if request.shape_only:
        assert _kind(ours) == _kind(theirs), str(request)
        return
    if _kind(theirs) != "json":
        assert ours.content == theirs.content, (str(request), ours.content[:80])
        return
    left, right = _without(ours.json(), request.unlike), _without(theirs.json(), request.unlike)
    assert left == right, (str(request), _difference(left, right))


def _difference(ours: Any, theirs: Any, path: str = "") -> str:
    """The first place where two values of JSON differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        pairs = [(key, ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(number, *both) for number, both in enumerate(zip(ours, theirs, strict=True))]
    elif isinstance(ours, (dict, list)) and isinstance(theirs, type(ours)):
        only_ours = [each for each in ours if each not in theirs]
        only_theirs = [each for each in theirs if each not in ours]
        return f"{path}: of {len(ours)}, {only_ours}; of {len(theirs)}, {only_theirs} in Orthanc"
    else:
        return f"{path}: {str(ours)[:200]}, and {str(theirs)[:200]} in Orthanc"
    name, left, right = next(each for each in pairs if each[1] != each[2])
    return _difference(left, right, f"{path}/{name}")


def _kind(response: httpx.Response) -> str:
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return "json" if kind == "application/json" else kind


def _without(value: Any, keys: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, keys) for name, each in value.items() if name not in keys}
    if isinstance(value, list):
        return [_without(each, keys) for each in value]
    return value


class OrthancProcess:
    """Orthanc without plugins over a folder, which can be killed and started again."""

    def __init__(self, folder: Path, **configuration: Any) -> None:
        self.folder = folder
        self.http_port, self.dicom_port = free_port(), free_port()
        folder.mkdir(parents=True)
        settings = {
            "Name": "differential",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": "GATEWAY",
            "Plugins": [],
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": True,
            "OverwriteInstances": True,
            "HttpDescribeErrors": True,
            **configuration,
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Return when it answers."""
        assert ORTHANC
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(
                [ORTHANC, str(self.folder / "orthanc.json")],
                stdout=log, stderr=log, env=ENVIRONMENT,
            )  # fmt: skip
        with client_of(self.url) as client:
            wait_until(lambda: _answers(client), _START_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL, if it runs: it takes seconds to stop, and nobody needs its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def orthanc_running(folder: Path, **configuration: Any) -> Iterator[Server]:
    """Orthanc without plugins over an empty folder."""
    process = OrthancProcess(folder, **configuration)
    try:
        process.start()
        with client_of(process.url) as client:
            yield Server("orthanc", client, process.dicom_port)
    finally:
        process.kill()


@contextmanager
def gateway_running(folder: Path, toml: str = "") -> Iterator[Server]:
    """`gateway run` over an empty folder."""
    with GatewayProcess(folder, toml) as process:
        base_url = f"http://127.0.0.1:{process.http_port}"
        with client_of(base_url) as client:
            yield Server("gateway", client, process.port)


@contextmanager
def pair_running(folder: Path, toml: str = "", **configuration: Any) -> Iterator[Pair]:
    """Both, empty."""
    with (
        orthanc_running(folder / "orthanc", **configuration) as orthanc,
        gateway_running(folder / "gateway", toml) as gateway,
    ):
        yield Pair(orthanc, gateway)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").status_code in (200, 401)
    except httpx.TransportError:
        return False
