"""A codec process: transcodes one file after the other, within limits, for as long as it is asked.

Started by process.py as `python -m gateway.codecs.worker FD MEMORY_MB`, where FD is one end of a
socket pair. Messages are JSON, so that whoever takes this process over through a hostile bit stream
gains no more than this process: the gateway unpickles nothing.
"""

import json
import logging
import os
import signal
import sys
import threading
import warnings
from multiprocessing.connection import Connection
from queue import SimpleQueue

from gateway.codecs.limits import limit_memory

_MEGABYTE = 1 << 20


def main() -> None:
    """Serve requests from the gateway until it closes its end, or is no more."""
    connection = Connection(int(sys.argv[1]))
    memory_bytes = int(sys.argv[2]) * _MEGABYTE
    # The gateway decides when this process ends, also on Ctrl-C or when systemd stops the service:
    # a running task is then finished or killed by it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    request = requests.get()
    # Only now: most processes of most gateways are never asked (see answers.py).
    from gateway.codecs.answers import handle

    _be_silent()
    limit_memory(memory_bytes)
    while True:
        connection.send_bytes(b"started")
        answer = handle(json.loads(request), memory_bytes)
        connection.send_bytes(json.dumps(answer).encode())
        request = requests.get()


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


if __name__ == "__main__":
    main()
