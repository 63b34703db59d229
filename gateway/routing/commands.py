"""The work of CALL tasks: a command gets a copy of the instance's file as its last argument.

The command runs without a shell, in a process group of its own, which is killed when its time is
over and when the gateway stops.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.errors import CommandFailed, CommandTimedOut
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action, Task
from gateway.routing.singly import Singly
from gateway.store.files import DERIVED, FileStorage, StagedFile, device_errors
from gateway.store.tasks import Tasks

log = logger("routing")
_LOOK_EVERY_S = 0.1
# So long a command may go on when the gateway stops; then it is begun anew at the next start.
_GRACE_S = 10.0
_MOST_OUTPUT = 2000


class CommandWorker(Singly):
    """Carries out one CALL task after the other, in one thread."""

    def __init__(
        self, tasks: Tasks, storage: FileStorage, timeout_s: float, metrics: Metrics
    ) -> None:
        super().__init__(Action.CALL, tasks, metrics)
        self._storage = storage
        self._timeout_s = timeout_s

    def carry_out(self, task: Task, stopping: Callable[[], bool]) -> None:
        """See Singly. Raises CommandFailed, CommandTimedOut."""
        words = [task.parameters["command"], *task.parameters["arguments"]]
        started_s = time.monotonic()
        with self._copy(task) as file, self._output() as output:
            code = self._run([*words, str(file)], output, stopping)
            said = _tail(output)
        log.info(
            "command ended",
            command=words[0],
            instance=task.version.instance_id,
            task=task.task_id,
            script=task.line,
            code=code,
            output=said,
            ms=round((time.monotonic() - started_s) * 1000),
        )
        if code != 0:
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise CommandFailed(f"{words[0]} {ended}")
        self._tasks.done(task).result()

    def _run(self, words: Sequence[str], output: BinaryIO, stopping: Callable[[], bool]) -> int:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except (OSError, ValueError) as exc:
            raise CommandFailed(f"{words[0]} cannot be started: {exc}") from exc
        try:
            return self._wait(process, stopping)
        finally:
            _kill(process)

    def _wait(self, process: "subprocess.Popen[bytes]", stopping: Callable[[], bool]) -> int:
        deadline_s = time.monotonic() + self._timeout_s
        is_last_call = False
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_EVERY_S)
            if stopping() and not is_last_call:
                is_last_call = True
                deadline_s = min(deadline_s, time.monotonic() + _GRACE_S)
            if time.monotonic() >= deadline_s:
                raise CommandTimedOut(f"the command did not end in {self._timeout_s:g} s")

    @contextmanager
    def _copy(self, task: Task) -> Iterator[Path]:
        """A command may write to its argument; what is stored never changes."""
        with self._staged() as staged:
            with device_errors():
                shutil.copyfile(self._storage.path(task.version.storage_key), staged.path)
            yield staged.path

    @contextmanager
    def _output(self) -> Iterator[BinaryIO]:
        with self._staged() as staged, staged.create() as file:
            yield file

    @contextmanager
    def _staged(self) -> Iterator[StagedFile]:
        staged = self._storage.stage(DERIVED)
        try:
            yield staged
        finally:
            staged.discard()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The command, if it runs, and what it has started in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(output: BinaryIO) -> str:
    """The last of what it said."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MOST_OUTPUT))
    return output.read().decode("utf-8", "replace").strip()
