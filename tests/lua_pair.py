"""A real Orthanc and a gateway with the same scripts and the same orthanc.json: what each says,
keeps and sends is compared.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from gateway_process import ENVIRONMENT as GATEWAY_ENVIRONMENT
from gateway_process import GATEWAY
from orthanc_peer import ENVIRONMENT, ORTHANC, Request, Server, client_of
from ports import free_port
from printed import GatewayPrinted, OrthancPrinted, Printed
from waiting import wait_until

_START_TIMEOUT_S = 60.0
_LOG = "server.log"


@dataclass(frozen=True)
class Scripted:
    """One of the two servers. stop: as an administrator stops it."""

    server: Server
    printed: Printed
    stop: Callable[[], None]

    def says(self) -> list[str]:
        """What its scripts have printed by now, in order."""
        return self.printed.lines()

    def until_says(self, text: str, times: int = 1) -> list[str]:
        """Wait until a line begins so, this often; answer all lines."""
        wait_until(lambda: sum(line.startswith(text) for line in self.says()) >= times, 60)
        return self.says()


@dataclass(frozen=True)
class ScriptedPair:
    """Both, with the same scripts."""

    orthanc: Scripted
    gateway: Scripted

    def __iter__(self) -> Iterator[Scripted]:
        return iter((self.orthanc, self.gateway))

    def upload(self, *files: bytes) -> None:
        """Store the same files in both, over HTTP, in this order."""
        for each in self:
            for file in files:
                answer = each.server.ask(Request("POST", "/instances", content=file))
                assert answer.status_code == 200, (each.server.name, answer.text)

    def assert_say_alike(self, last: str, times: int = 1) -> list[str]:
        """Wait until both have said `last`, then compare all that they have said."""
        theirs, ours = (each.until_says(last, times) for each in self)
        assert ours == theirs
        return ours


@contextmanager
def scripted_pair(
    folder: Path,
    scripts: Sequence[str],
    own: Mapping[str, dict[str, Any]] = MappingProxyType({}),
    **configuration: Any,
) -> Iterator[ScriptedPair]:
    """Both servers over empty folders, with these scripts as LuaScripts of one orthanc.json.

    own: what only the "orthanc" or only the "gateway" has in its file.
    """
    theirs, ours = (configuration | own.get(name, {}) for name in ("orthanc", "gateway"))
    with (
        _orthanc(folder / "orthanc", scripts, theirs) as orthanc,
        _gateway(folder / "gateway", scripts, ours) as gateway,
    ):
        yield ScriptedPair(orthanc, gateway)


def _written(folder: Path, scripts: Sequence[str], configuration: dict[str, Any]) -> dict[str, Any]:
    """orthanc.json with ports of its own, and the scripts beside it; relative, as users have it."""
    folder.mkdir(parents=True)
    names = [f"script{number}.lua" for number in range(len(scripts))]
    for name, source in zip(names, scripts, strict=True):
        (folder / name).write_text(source)
    settings = {
        "Name": "scripted", "DicomAet": "SCRIPTED", "StorageDirectory": "db",
        "IndexDirectory": "db", "HttpPort": free_port(), "DicomPort": free_port(), "Plugins": [],
        "AuthenticationEnabled": False, "RemoteAccessAllowed": True, "OverwriteInstances": True,
        "HttpDescribeErrors": True, "StableAge": 2, "LuaScripts": names, **configuration,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return settings


@contextmanager
def _orthanc(
    folder: Path, scripts: Sequence[str], configuration: dict[str, Any]
) -> Iterator[Scripted]:
    assert ORTHANC
    settings = _written(folder, scripts, configuration)
    command = [ORTHANC, "orthanc.json"]
    with _running("orthanc", command, ENVIRONMENT, folder, settings) as (server, process):
        try:
            yield Scripted(server, OrthancPrinted(folder / _LOG), lambda: _stop(process))
        finally:
            process.kill()  # it takes seconds to stop, and nobody needs its folder


@contextmanager
def _gateway(
    folder: Path, scripts: Sequence[str], configuration: dict[str, Any]
) -> Iterator[Scripted]:
    settings = _written(folder, scripts, configuration)
    command = [*GATEWAY, "run", "--orthanc-config", "orthanc.json"]
    environment = GATEWAY_ENVIRONMENT | {"GATEWAY_STORE__MINIMUM_FREE_MB": "0"}
    with _running("gateway", command, environment, folder, settings) as (server, process):
        yield Scripted(server, GatewayPrinted(folder / _LOG), lambda: _stop(process))


@contextmanager
def _running(
    name: str, command: Sequence[str], environment: dict[str, str], folder: Path,
    settings: dict[str, Any],
) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:  # fmt: skip
    with (folder / _LOG).open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        base_url = f"http://127.0.0.1:{settings['HttpPort']}"
        with client_of(base_url) as client:
            wait_until(lambda: _answers(client) or process.poll() is not None, _START_TIMEOUT_S)
            assert process.poll() is None, (folder / _LOG).read_text()[-4000:]
            yield Server(name, client, settings["DicomPort"]), process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").status_code < 500
    except httpx.TransportError:
        return False
