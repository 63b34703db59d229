"""A real `gateway run` in a process of its own, which can be killed for real."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from ports import free_port
from waiting import wait_until

from gateway.administration import administration
from gateway.config.models import Configuration
from gateway.model import LaneStatus, ParkedEvent, TaskRow

START_TIMEOUT_S = 60.0
GATEWAY = [sys.executable, "-m", "gateway"]
# Nothing that the developer has set for a gateway of his own; long lines, for those who read them.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")} | {
    "NO_COLOR": "1",
    "COLUMNS": "200",
}


class GatewayProcess:
    """`gateway run` over one folder: its configuration, data, scripts and log are in there.

    toml: what the configuration says beyond ports and host; log and folders are where they are by
    default. fixed_ports: chosen here, and the same over restarts, or by the gateway at its start.
    """

    def __init__(self, folder: Path, toml: str = "", *, fixed_ports: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "gateway.log"
        self._ports = (free_port(), free_port()) if fixed_ports else (0, 0)
        (folder / "scripts").mkdir(parents=True, exist_ok=True)
        (folder / "gateway.toml").write_text(
            "dicom.port = {}\nhttp.port = {}\n".format(*self._ports)
            + f"dicom.host = '127.0.0.1'\nstore.minimum_free_mb = 0\n{toml}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "GatewayProcess":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.is_running:
            self.terminate()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def port(self) -> int:
        return self._ports[0] or self._told("dicom_port")

    @property
    def http_port(self) -> int:
        return self._ports[1] or self._told("http_port")

    def _told(self, name: str) -> int:
        """The port that it chose itself; 0 when it has not told yet."""
        return next((int(str(line[name])) for line in self.events("gateway started")), 0)

    def script(self, name: str, lua: str) -> Path:
        """Drop a script, as an editor that replaces files does.

        One that is there before the start gets all events; of others, see loaded().
        """
        path = self.folder / "scripts" / name
        temporary = path.with_suffix(".tmp")
        temporary.write_text(lua)
        temporary.replace(path)
        return path

    def run_arguments(self) -> Sequence[str]:
        """What `gateway run` is told."""
        return ["--config", "gateway.toml"]

    def start(self, **environment: str) -> None:
        """Return when it takes images. environment: variables beside those of every test."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*GATEWAY, "run", *self.run_arguments()],
                cwd=self.folder, env=ENVIRONMENT | environment, stderr=log,
            )  # fmt: skip
        try:
            wait_until(self._has_come, START_TIMEOUT_S)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL, and nothing left of it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; answers the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def _has_come(self) -> bool:
        assert self.is_running, f"it ended:\n{self.log.read_text()[-4000:]}"
        return self.is_ready()

    def is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `gateway` command on the same configuration, whatever comes of it."""
        return subprocess.run(
            [*GATEWAY, *arguments],
            cwd=self.folder, env=ENVIRONMENT | {"GATEWAY_CONFIG": "gateway.toml"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def command(self, *arguments: str) -> str:
        """Run a command that must succeed; answers its standard output."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lanes(self) -> dict[str, LaneStatus]:
        """What `gateway scripts` shows, by script; asked here, which no process is started for."""
        with administration(self._configuration) as index:
            return {lane.lane: lane for lane in index.lanes()}

    def tasks(self) -> list[TaskRow]:
        """What `gateway queue list` shows of tasks."""
        with administration(self._configuration) as index:
            return index.tasks()

    def parked_events(self) -> list[ParkedEvent]:
        """What `gateway queue list` shows of events."""
        with administration(self._configuration) as index:
            return index.parked_events()

    def is_idle(self) -> bool:
        """Nothing is in the queue."""
        return not self.tasks() and not self.parked_events()

    @property
    def _configuration(self) -> Configuration:
        return Configuration.model_validate({"store": {"folder": self.data}})

    def loaded(self, scripts: int = 1) -> None:
        """Wait until so many scripts, or versions of them, have been loaded."""
        wait_until(lambda: len(self.events("script loaded")) >= scripts, START_TIMEOUT_S)

    def events(self, name: str) -> list[dict[str, object]]:
        """The log lines with this event."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{")
        return [line for line in lines if line.get("event") == name]


class FormerOrthanc(GatewayProcess):
    """The same in the place of an Orthanc, with its configuration and its LuaScripts.

    keys: of orthanc.json, beyond ports, storage and scripts.
    """

    def __init__(self, folder: Path, lua: str, **keys: Any) -> None:
        super().__init__(folder)
        self.data = folder / "storage" / "gateway"
        (folder / "legacy.lua").write_text(lua)
        configuration = {
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "StorageDirectory": "storage",
            "LuaScripts": ["legacy.lua"],
            **keys,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))

    def run_arguments(self) -> Sequence[str]:
        """See GatewayProcess."""
        return ["--orthanc-config", "orthanc.json"]

    def start(self, **environment: str) -> None:
        """See GatewayProcess."""
        super().start(GATEWAY_STORE__MINIMUM_FREE_MB="0", **environment)
