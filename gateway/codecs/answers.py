"""What a codec process answers: each kind of request, carried out within limits.

Apart from worker.py because it loads numpy, pydicom and all codecs: 0.3 s of CPU and 60 MB, which
processes that are never asked do without.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.codecs.limits import Limits, grant_cpu
from gateway.codecs.parts import join_parts, make_part, outline
from gateway.codecs.transcode import Job, known, transcode
from gateway.errors import CodecFailed, CodecProcessDied, TranscodeError
from gateway.model import TranscodeOptions

_MEGABYTE = 1 << 20
_LONGEST_REASON = 1000  # some quote a value of the data set, which may be of any length


def handle(request: dict[str, Any], memory_bytes: int) -> dict[str, Any]:
    """Carry out one request; the answer is its result, or the kind and text of an error."""
    grant_cpu(0)
    try:
        return {"result": _REQUESTS[request["do"]](request, Limits(memory_bytes, grant_cpu))}
    # The border to code that parses what it was sent: whatever it says, this one image failed.
    except Exception as exc:  # noqa: BLE001
        return _error(exc, memory_bytes)


def _transcode(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    return asdict(transcode(_job(request), request["ladder"], limits))


def _outline(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    return asdict(outline(_job(request), request["ladder"], limits))


def _part(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    started = time.perf_counter()
    make_part(_job(request), request["first"], request["last"], Path(request["part"]), limits)
    return {"seconds": time.perf_counter() - started}


def _join(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    parts = [Path(part) for part in request["parts"]]
    return asdict(join_parts(_job(request), parts, request["seconds"], limits))


_REQUESTS: dict[str, Callable[[dict[str, Any], Limits], dict[str, Any]]] = {
    "transcode": _transcode,
    "outline": _outline,
    "part": _part,
    "join": _join,
}


def _job(request: dict[str, Any]) -> Job:
    return Job(
        Path(request["source"]),
        Path(request["target"]),
        known(request.get("syntax") or request["ladder"][0]),
        TranscodeOptions(**request["options"]),
        Path(request["scratch"]),
    )


def _error(exc: Exception, memory_bytes: int) -> dict[str, Any]:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, MemoryError):
            message = f"the image needs more than {memory_bytes // _MEGABYTE} MB"
            return {"error": CodecProcessDied.kind, "message": message}
        cause = cause.__cause__
    if isinstance(exc, TranscodeError):
        return {"error": exc.kind, "message": str(exc)[:_LONGEST_REASON]}
    return {"error": CodecFailed.kind, "message": _where(exc)}


def _where(exc: Exception) -> str:
    """An error that nobody foresaw: its kind and place. Its text may quote the data set."""
    place = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__} in {Path(place.filename).name}, line {place.lineno}"
