"""A real `gateway run` in a process of its own, which can be killed for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_TIMEOUT_S = 60.0


class GatewayProcess:
    """`gateway run` over one folder: its configuration, data, scripts and log are in there.

    toml: what the configuration says beyond ports, folders and log. The ports stay the same over
    restarts.
    """

    def __init__(self, folder: Path, toml: str = "") -> None:
        self.folder = folder
        self.port, self.http_port = free_port(), free_port()
        self.log = folder / "gateway.log"
        self.configuration = folder / "gateway.toml"
        (folder / "scripts").mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(
            f"dicom.port = {self.port}\ndicom.host = '127.0.0.1'\nhttp.port = {self.http_port}\n"
            "log.format = 'json'\nscripts.folder = 'scripts'\n"
            f"store.folder = 'data'\nstore.minimum_free_mb = 0\n{toml}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "GatewayProcess":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.terminate()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def script(self, name: str, lua: str) -> Path:
        """Drop a script, as an editor that replaces files does."""
        path = self.folder / "scripts" / name
        temporary = path.with_suffix(".tmp")
        temporary.write_text(lua)
        temporary.replace(path)
        return path

    def start(self) -> None:
        """Return when it takes images."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(self.configuration)],
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert self._process.poll() is None, f"it ended:\n{self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"not ready:\n{self.log.read_text()[-4000:]}"
            time.sleep(0.02)

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

    def is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def command(self, *arguments: str, check: bool = True) -> str:
        """Run another `gateway` command on the same configuration; answers its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "--config", str(self.configuration)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def events(self, name: str) -> list[dict[str, object]]:
        """The log lines with this event."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{")
        return [line for line in lines if line.get("event") == name]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
