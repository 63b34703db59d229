"""`os.execute` of scripts: a shell command in a process group of its own, ended at the deadline."""

import os
import select
import signal
import subprocess
from contextlib import suppress


class Shell:
    """Runs one command at a time for one runtime."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def execute(self, command: str, timeout_s: float) -> tuple[bool | None, str, int]:
        """Run and wait; answers Lua 5.2's results: true or nil, "exit" or "signal", the code.

        After `timeout_s` the command and all that it started in its process group are killed.
        """
        with subprocess.Popen(
            ["/bin/sh", "-c", os.fsencode(command)], stdin=subprocess.DEVNULL, process_group=0
        ) as process:
            self._process = process
            try:
                if not _ends_within(process, timeout_s):
                    self.kill()
                code = process.wait()
            finally:
                self._process = None
        if code < 0:
            return None, "signal", -code
        return code == 0 or None, "exit", code

    def kill(self) -> None:
        """End what is running, if anything; from any thread."""
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _ends_within(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    if hasattr(os, "pidfd_open"):
        return _readable_within(os.pidfd_open(process.pid), timeout_s)
    try:  # not Linux: Popen.wait polls, at worst 20 times a second
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _readable_within(pidfd: int, timeout_s: float) -> bool:
    """A pidfd becomes readable at the moment its process ends."""
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)
