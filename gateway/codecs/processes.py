"""The codec processes, as the gateway holds them: files in, files out, and no pixel in between.

One connection per process, and no lock or queue that processes share: one that is killed takes
nothing with it but its own task. (A pebble.ProcessPool was tried first: killing an idle worker
breaks the whole pool for good.)
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe
from pathlib import Path
from queue import LifoQueue
from typing import Any

from gateway.errors import (
    CodecFailed,
    CodecProcessDied,
    CodecTimedOut,
    TranscodeError,
    TranscodeUnsupported,
    VerificationFailed,
)
from gateway.model import TranscodeOptions, TranscodeReport

_START_TIMEOUT_S = 60.0
_LARGEST_ANSWER_BYTES = 1 << 16
_ERRORS: dict[str, type[TranscodeError]] = {
    error.kind: error
    for error in (CodecFailed, CodecProcessDied, TranscodeUnsupported, VerificationFailed)
}


class CodecPool:
    """Transcodes in `processes` processes at once; callers beyond that wait. Thread-safe.

    memory_mb: what one process may use, beyond the libraries it has loaded. timeout_s: wall-clock
    limit of one transcoding, without the waiting. The processes start now, and again when one ends;
    they end with close(), and when this process ends in whatever way.
    """

    def __init__(self, *, processes: int, memory_mb: int, timeout_s: float) -> None:
        self._processes = [_CodecProcess(memory_mb, timeout_s) for _ in range(processes)]
        # Last in, first out: caches are warm, and processes that are not needed sleep.
        self._idle: LifoQueue[_CodecProcess] = LifoQueue()
        for process in self._processes:
            self._idle.put(process)

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        """See ports.Codecs. Raises CodecProcessDied, CodecTimedOut, CodecFailed,
        TranscodeUnsupported, VerificationFailed; then there is no file at `target`.
        """
        request = {
            "source": os.fspath(source),
            "target": os.fspath(target),
            "ladder": list(ladder),
            "options": asdict(options),
        }
        if target.exists():
            raise CodecFailed("the target exists already")
        process = self._idle.get()
        try:
            return _report(process.ask(request))
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes. What they are at fails with CodecProcessDied, as does all later."""
        for process in self._processes:
            process.end()
        returned = [self._idle.get() for _ in self._processes]
        for process in returned:
            process.disconnect()
            self._idle.put(process)

    def process_ids(self) -> list[int]:
        """The operating system's ids of the processes."""
        return [process.pid for process in self._processes]


def _report(answer: dict[str, Any]) -> TranscodeReport:
    if "report" in answer:
        report = answer["report"]
        return TranscodeReport(**report | {"refusals": tuple(report["refusals"])})
    raise _ERRORS.get(answer["error"], CodecFailed)(answer["message"])


class _CodecProcess:
    """One process and the connection to it; asked by one thread at a time."""

    def __init__(self, memory_mb: int, timeout_s: float) -> None:
        self._memory_mb = memory_mb
        self._timeout_s = timeout_s
        self._ended = False
        self._lock = threading.Lock()  # between end() and a new start
        self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have one request carried out. Raises CodecProcessDied, CodecTimedOut."""
        try:
            self._begin(json.dumps(request).encode())
            answer = self._answer()
        except BaseException:
            self._restart()
            raise
        if answer.get("error") == CodecProcessDied.kind:  # its memory is used up
            self._restart()
        return answer

    def end(self) -> None:
        """Kill the process for good; a thread that waits for its answer gets CodecProcessDied."""
        with self._lock:
            self._ended = True
            self._kill()

    def disconnect(self) -> None:
        """Close the connection, when nobody asks any more."""
        self._connection.close()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._child = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "gateway.codecs.worker"),
                    *(str(theirs.fileno()), str(self._memory_mb)),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the gateway
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            )

    def _restart(self) -> None:
        with self._lock:
            self._kill()
            self._connection.close()
            if not self._ended:
                with suppress(OSError):  # no memory for another process: ask() will try again
                    self._start()

    def _kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def _begin(self, request: bytes) -> None:
        """Hand the request over. A process that was killed while idle is replaced unnoticed."""
        for _ in range(2):
            if self._ended:
                raise CodecProcessDied("the codec processes are stopped")
            with suppress(OSError, EOFError):
                self._connection.send_bytes(request)
                if self._connection.poll(_START_TIMEOUT_S):
                    self._connection.recv_bytes(_LARGEST_ANSWER_BYTES)  # "started"
                    return
            self._restart()
        raise CodecProcessDied("codec processes do not start")

    def _answer(self) -> dict[str, Any]:
        if not self._connection.poll(self._timeout_s):
            raise CodecTimedOut(f"not done after {self._timeout_s:g} s")
        try:
            answer = json.loads(self._connection.recv_bytes(_LARGEST_ANSWER_BYTES))
        except (EOFError, OSError, ValueError):  # ended, or does not speak our language any more
            self._kill()
            raise CodecProcessDied(_how_it_ended(self._child.returncode)) from None
        return dict(answer)


def _how_it_ended(return_code: int) -> str:
    if return_code == -signal.SIGXCPU:
        return "the codec process used more CPU time than such an image can need"
    if return_code < 0:
        return f"the codec process was ended by {signal.Signals(-return_code).name}"
    return f"the codec process ended with exit code {return_code}"
