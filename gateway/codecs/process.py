"""One codec process, as the gateway holds it: JSON messages over a socket pair.

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
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from gateway.errors import (
    CodecFailed,
    CodecProcessDied,
    CodecTimedOut,
    QualityTooLow,
    TranscodeError,
    TranscodeUnsupported,
    VerificationFailed,
)

_START_TIMEOUT_S = 60.0
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_LARGEST_ANSWER_BYTES = 1 << 16
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    # To print where Rust has panicked takes 70 MB, and nobody reads it.
    "RUST_BACKTRACE": "0",
    # glibc gives the memory of a frame back at once, and fetching it again for the next one takes a
    # page fault for every 4 kB: 1 ms for 512x512x16. These are the most that it would adapt to.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
_ERRORS: dict[str, type[TranscodeError]] = {
    error.kind: error
    for error in (
        CodecFailed,
        CodecProcessDied,
        QualityTooLow,
        TranscodeUnsupported,
        VerificationFailed,
    )
}


class CodecProcess:
    """One process and the connection to it; asked by one thread at a time."""

    def __init__(self, memory_mb: int, timeout_s: float) -> None:
        self._memory_mb = memory_mb
        self.timeout_s = timeout_s
        self._ended = False
        self._lock = threading.Lock()  # between end() and a new start
        self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have one request carried out; its result. Raises TranscodeError."""
        self.begin(request)
        return self.result()

    def begin(self, request: dict[str, Any]) -> None:
        """Hand a request over. Raises CodecProcessDied."""
        try:
            self._begin(json.dumps(request).encode())
        except BaseException:
            self.restart()
            raise

    def result(self) -> dict[str, Any]:
        """Wait for what was begun. Raises TranscodeError."""
        try:
            answer = self._answer()
        except BaseException:
            self.restart()
            raise
        if "result" in answer:
            return dict(answer["result"])
        if answer["error"] == CodecProcessDied.kind:  # its memory is used up
            self.restart()
        raise _ERRORS.get(answer["error"], CodecFailed)(answer["message"])

    @property
    def answers(self) -> Connection:
        """What becomes readable when result() has nothing to wait for any more."""
        return self._connection

    def end(self) -> None:
        """Kill the process for good; a thread that waits for its answer gets CodecProcessDied."""
        with self._lock:
            self._ended = True
            self._kill()

    def disconnect(self) -> None:
        """Close the connection, when nobody asks any more."""
        self._connection.close()

    def _start(self) -> None:
        self._connection: Connection
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
                env=os.environ | _ENVIRONMENT,
            )

    def restart(self) -> None:
        """Start anew, whatever it is at."""
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
            self.restart()
        raise CodecProcessDied("codec processes do not start")

    def _answer(self) -> dict[str, Any]:
        if not self._connection.poll(self.timeout_s):
            raise CodecTimedOut(f"not done after {self.timeout_s:g} s")
        try:
            answer = json.loads(self._connection.recv_bytes(_LARGEST_ANSWER_BYTES))
        except (EOFError, OSError, ValueError):  # ended, or does not speak our language any more
            self._kill()
            raise CodecProcessDied(_how_it_ended(self._child.returncode)) from None
        return dict(answer)


def _how_it_ended(return_code: int) -> str:
    if return_code == -signal.SIGPROF:  # see limits.grant_cpu()
        return "the codec process used more CPU time than such an image can need"
    if return_code < 0:
        how = "crashed" if -return_code in _CRASHES else "was ended from outside"
        return f"the codec process {how} ({signal.Signals(-return_code).name})"
    return f"the codec process ended with exit code {return_code}"
