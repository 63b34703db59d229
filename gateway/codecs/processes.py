"""The codec processes as a pool: files in, files out, and no pixel in between.

process.py is one of them; spreading.py has several of them make one image.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.codecs.idle import IdleProcesses
from gateway.codecs.process import CodecProcess
from gateway.codecs.spreading import Spreading
from gateway.errors import CodecFailed, QualityTooLow, TranscodeUnsupported
from gateway.model import TranscodeOptions, TranscodeReport

SCRATCH_SUFFIX = ".work"
"""Of the folder beside a target that holds what is on its way to it, when anything has to be."""
# To ask how many frames a file has costs some milliseconds.
_WORTH_A_LOOK_BYTES = 1 << 20


class CodecPool:
    """Transcodes in `processes` processes at once; callers beyond that wait. Thread-safe.

    An image of many frames is spread over the processes that are idle. memory_mb: what one process
    may use, beyond the libraries it has loaded. timeout_s: wall-clock limit of one transcoding, or
    of one part of it, without the waiting. The processes start now, and again when one ends, and
    load their libraries with their first image; they end with close(), and when this process ends
    in whatever way.
    """

    def __init__(self, *, processes: int, memory_mb: int, timeout_s: float) -> None:
        self._processes = [CodecProcess(memory_mb, timeout_s) for _ in range(processes)]
        self._idle = IdleProcesses(self._processes)

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        """See ports.Codecs. Raises CodecProcessDied, CodecTimedOut, CodecFailed,
        TranscodeUnsupported, VerificationFailed; then there is no file at `target`.
        """
        scratch = target.with_name(target.name + SCRATCH_SUFFIX)
        if target.exists() or scratch.exists():
            raise CodecFailed("the target exists already")
        request = {
            "source": os.fspath(source),
            "target": os.fspath(target),
            "scratch": os.fspath(scratch),
            "ladder": list(ladder),
            "options": asdict(options),
        }
        with self._idle.borrowed() as process:
            try:
                return _report(self._carry_out(process, request, source.stat().st_size))
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _carry_out(
        self, process: CodecProcess, request: dict[str, Any], size_bytes: int
    ) -> dict[str, Any]:
        if len(self._processes) > 1 and size_bytes >= _WORTH_A_LOOK_BYTES:
            spreading = Spreading(process, self._idle, request, processes=len(self._processes))
            # Only samples tell that a rung cannot be, or is not good enough. One process, which has
            # the whole ladder, finds that out again, and goes on.
            with suppress(TranscodeUnsupported, QualityTooLow):
                if (report := spreading.carry_out()) is not None:
                    return report
        return process.ask(request | {"do": "transcode"})

    def close(self) -> None:
        """End the processes. What they are at fails with CodecProcessDied, as does all later."""
        for process in self._processes:
            process.end()
        returned = [self._idle.take() for _ in self._processes]
        for process in returned:
            process.disconnect()
            self._idle.hand_back(process)

    def process_ids(self) -> list[int]:
        """The operating system's ids of the processes."""
        return [process.pid for process in self._processes]


def _report(result: dict[str, Any]) -> TranscodeReport:
    return TranscodeReport(**result | {"refusals": tuple(result["refusals"])})
