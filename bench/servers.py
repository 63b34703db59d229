"""The two that are compared: each a process of its own, on a fresh folder, as it is installed."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from images import PIXEL_BYTES

# Without it DCMTK, and with it Orthanc, leaves Nagle's algorithm on, and every C-STORE waits up to
# 40 ms for a delayed acknowledgement.
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_SETTLE_TIMEOUT_S = 60.0
_REST_S, _REST_CPU_SHARE = 0.5, 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """What was to be measured did not happen."""


class Server(ABC):
    """A DICOM server that keeps what it gets, and runs one Lua script when there is one.

    As a context: it answers C-ECHO when the context begins, and has ended when that ends.
    """

    name: ClassVar[str]
    files: ClassVar[str]  # the folder below `folder` where it keeps instances

    def __init__(self, folder: Path, archive_port: int, script: str) -> None:
        """archive_port: where the destination `archive` listens. script: Lua, or "" for none."""
        self.folder = folder
        self.archive_port = archive_port
        self.script = script
        self.port, self.http_port = free_port(), free_port()
        self._log = folder / "server.log"

    @abstractmethod
    def configure(self) -> list[str]:
        """Write what it needs into the folder; answer the command that runs it."""

    def __enter__(self) -> "Server":
        command = self.configure()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=ENVIRONMENT
            )
        try:
            self._wait_until_it_answers()
            self._wait_until_it_rests()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, BenchError):
            error.add_note(self._last_words())
        self._process.terminate()
        self._process.wait(_STOP_TIMEOUT_S)

    def cpu_s(self) -> float:
        """CPU time that it and its child processes have used by now, user and system."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        children = [int(pid) for task in tasks for pid in task.read_text().split()]
        return sum(map(_cpu_s, (self._process.pid, *children)))

    def wait_until_it_keeps(self, count: int) -> None:
        """Return when so many images are in its storage. Raises BenchError after a minute."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while (kept := self.images_kept()) != count:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} keeps {kept} images instead of {count}")
            time.sleep(0.05)

    def images_kept(self) -> int:
        """How many there are in its storage that nobody has compressed."""
        kept = 0
        for folder, _, names in os.walk(self.folder / self.files):
            for name in names:
                try:
                    kept += os.stat(os.path.join(folder, name)).st_size > PIXEL_BYTES
                except FileNotFoundError:  # it was just removed
                    continue
        return kept

    def _last_words(self) -> str:
        return f"{self.name} said:\n{self._log.read_text(errors='replace')[-4000:]}"

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers_echo():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.name} did not start\n{self._last_words()}")
            time.sleep(0.05)

    def _wait_until_it_rests(self) -> None:
        """Processes may still load in the background; they are not what is measured."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        used_s = math.inf
        while used_s > _REST_CPU_SHARE * _REST_S and time.monotonic() < deadline:
            before_s = self.cpu_s()
            time.sleep(_REST_S)
            used_s = self.cpu_s() - before_s

    def _answers_echo(self) -> bool:
        echo = ["echoscu", "127.0.0.1", str(self.port)]
        done = subprocess.run(echo, env=ENVIRONMENT, check=False, stderr=subprocess.DEVNULL)
        return done.returncode == 0


class Gateway(Server):
    """This project, as `gateway run` starts it."""

    name = "gateway"
    files = "data/files"

    def configure(self) -> list[str]:
        """See Server."""
        (self.folder / "scripts").mkdir()
        if self.script:
            (self.folder / "scripts" / "route.lua").write_text(self.script)
        toml = self.folder / "gateway.toml"
        toml.write_text(
            f"dicom = {{ host = '127.0.0.1', port = {self.port} }}\n"
            f"http.port = {self.http_port}\n"
            "destinations.archive = "
            f"{{ aet = 'ARCHIVE', host = '127.0.0.1', port = {self.archive_port} }}\n"
        )
        return [sys.executable, "-m", "gateway", "run", "--config", str(toml)]


class Orthanc(Server):
    """Orthanc with the defaults of its makers: what differs is named here."""

    name = "Orthanc"
    files = "storage"

    def configure(self) -> list[str]:
        """See Server."""
        script = self.folder / "route.lua"
        script.write_text(self.script)
        configuration = {
            "StorageDirectory": str(self.folder / self.files),
            "IndexDirectory": str(self.folder / "index"),
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "Plugins": [],
            "LuaScripts": [str(script)],
            "DicomModalities": {"archive": ["ARCHIVE", "127.0.0.1", self.archive_port]},
            # As the gateway: a file is synced before the answer, the newest version is kept.
            "SyncStorageArea": True,
            "OverwriteInstances": True,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "StableAge": 60,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(configuration))
        return [str(self.program()), str(path)]

    @staticmethod
    def program() -> str | None:
        """Where it is installed; /usr/sbin is not in everybody's PATH."""
        return shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
