"""A codec process: transcodes one file after the other, within limits, for as long as it is asked.

Started by processes.py as `python -m gateway.codecs.worker FD MEMORY_MB`, where FD is one end of a
socket pair. Messages are JSON, so that whoever takes this process over through a hostile bit stream
gains no more than this process: the gateway unpickles nothing.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gateway.codecs.limits import Limits, grant_cpu, limit_memory
from gateway.codecs.parts import join_parts, make_part, outline
from gateway.codecs.transcode import Job, known, transcode
from gateway.errors import CodecFailed, CodecProcessDied, TranscodeError
from gateway.model import TranscodeOptions

_MEGABYTE = 1 << 20
_LONGEST_REASON = 1000  # some quote a value of the data set, which may be of any length


def main() -> None:
    """Serve requests from the gateway until it closes its end, or is no more."""
    connection = Connection(int(sys.argv[1]))
    memory_bytes = int(sys.argv[2]) * _MEGABYTE
    # The gateway decides when this process ends, also on Ctrl-C or when systemd stops the service:
    # a running task is then finished or killed by it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _be_silent()
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    limit_memory(memory_bytes)
    while True:
        request = json.loads(requests.get())
        connection.send_bytes(b"started")
        answer = handle(request, memory_bytes)
        connection.send_bytes(json.dumps(answer).encode())


def _be_silent() -> None:
    """Libraries put values of the data set into their messages, and some write to stderr."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())


def _receive(connection: Connection, requests: "SimpleQueue[bytes]") -> None:
    """Wait for requests beside the work, to notice at once when the gateway is gone."""
    while True:
        try:
            requests.put(connection.recv_bytes())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGKILL)


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


if __name__ == "__main__":
    main()
