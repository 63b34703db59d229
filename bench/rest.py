"""Requests per second over HTTP, gateway and Orthanc in turn: `make bench-rest`. See README.md."""

import argparse
import itertools
import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from images import make_images
from machine import machine
from rich.console import Console
from rich.table import Table
from servers import BenchError, Gateway, Orthanc, Server

RESULTS = Path(__file__).parent / "results"
CLIENTS = (1, 8)
progress = Console(stderr=True)


class Client:
    """One connection that is kept: as little of a client as there can be."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the answer. Raises BenchError when it is not a 200."""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        status, *lines = answer[:end].decode("latin-1").split("\r\n")
        if " 200 " not in status:
            raise BenchError(f"{method} {path}: {status}")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        pieces, missing = [answer[end + 4 :]], int(headers["content-length"])
        missing -= len(pieces[0])
        while missing:
            pieces.append(self._receive())
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _receive(self) -> bytes:
        size = self._socket.recv_into(self._buffer)
        if not size:
            raise BenchError("the server hung up")
        return bytes(memoryview(self._buffer)[:size])


@dataclass(frozen=True, slots=True)
class Stored:
    """What both servers hold, by the ids that both give it."""

    instances: tuple[str, ...]
    series: tuple[str, ...]
    study: str
    fresh: Iterator[bytes]  # files that no server has


Ask = Callable[[Client, Stored, int], bytes]
ROUTES: Mapping[str, Ask] = {
    "GET /instances/{id}/file": lambda client, stored, n: client.ask(
        "GET", f"/instances/{stored.instances[n % len(stored.instances)]}/file"
    ),
    "GET /studies/{id}": lambda client, stored, n: client.ask("GET", f"/studies/{stored.study}"),
    "POST /instances": lambda client, stored, n: client.ask(
        "POST", "/instances", next(stored.fresh)
    ),
    "GET /series/{id}": lambda client, stored, n: client.ask(
        "GET", f"/series/{stored.series[n % len(stored.series)]}"
    ),
    "GET /instances/{id}/simplified-tags": lambda client, stored, n: client.ask(
        "GET", f"/instances/{stored.instances[n % len(stored.instances)]}/simplified-tags"
    ),
    "GET /instances/{id}": lambda client, stored, n: client.ask(
        "GET", f"/instances/{stored.instances[n % len(stored.instances)]}"
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests per second of one server, one figure for each round."""

    route: str
    clients: int
    server: str
    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The one in the middle."""
        return statistics.median(self.rates)


def main() -> int:
    """Measure every route; answers the exit code."""
    options = _options()
    kinds = [Gateway] if options.without_orthanc or not Orthanc.program() else [Gateway, Orthanc]
    try:
        with tempfile.TemporaryDirectory(prefix="bench-rest-") as folder, ExitStack() as stack:
            servers = [_started(kind, Path(folder), stack) for kind in kinds]
            results = _measure(servers, Path(folder), options.rounds, options.seconds)
    except BenchError as error:
        progress.print(str(error), style="red", markup=False, highlight=False)
        return 1
    Console().print(_table(results, [kind.name for kind in kinds]))
    page = _save(results, options.results)
    progress.print(f"written to {page.parent.name}/{page.name}")
    return 0


def _started(kind: type[Server], folder: Path, stack: ExitStack) -> Server:
    place = folder / kind.name
    place.mkdir()
    return stack.enter_context(kind(place, archive_port=9, script=""))


def _measure(servers: list[Server], folder: Path, rounds: int, seconds: float) -> list[Measured]:
    files = [path.read_bytes() for path in make_images(folder / "images", 100).values()]
    stored = {server.name: _fill(server, files) for server in servers}
    results = []
    for (route, ask), clients in itertools.product(ROUTES.items(), CLIENTS):
        rates: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(rounds):
            for server in servers[:: 1 if number % 2 else -1]:
                rate = _rate(server, ask, stored[server.name], clients, seconds)
                rates[server.name].append(rate)
        results += [Measured(route, clients, name, tuple(found)) for name, found in rates.items()]
        progress.print(f"{route}, {clients} clients", highlight=False)
    return results


def _fill(server: Server, files: list[bytes]) -> Stored:
    client = Client(server.http_port)
    answers = [json.loads(client.ask("POST", "/instances", file)) for file in files]
    client.close()
    return Stored(
        tuple(answer["ID"] for answer in answers),
        tuple({answer["ParentSeries"]: None for answer in answers}),
        answers[0]["ParentStudy"],
        _fresh(files[0]),
    )


def _fresh(file: bytes) -> Iterator[bytes]:
    """The same image again and again, each time under a UID of the same length."""
    start = file.index(b"\x02\x00\x03\x00UI") + 8
    uid = file[start : file.index(b"\x02\x00\x10\x00UI")].rstrip(b"\0")
    for number in itertools.count(10**7):
        yield file.replace(uid, uid[:-8] + b"%d" % number)


def _rate(server: Server, ask: Ask, stored: Stored, clients: int, seconds: float) -> float:
    """Requests per second of so many clients, each asking again as soon as it is answered."""
    connections = [Client(server.http_port) for _ in range(clients)]
    try:
        with ThreadPoolExecutor(clients) as threads:
            began = time.perf_counter()
            counts = threads.map(
                lambda each: _ask_on(each, ask, stored, began + seconds), connections
            )
            total = sum(counts)
            return total / (time.perf_counter() - began)
    finally:
        for connection in connections:
            connection.close()


def _ask_on(client: Client, ask: Ask, stored: Stored, until: float) -> int:
    for number in itertools.count(1):
        ask(client, stored, number)
        if time.perf_counter() >= until:
            return number
    raise AssertionError("it counts for ever")


def _table(results: list[Measured], names: list[str]) -> Table:
    table = Table("route", "clients", *(f"{name}, requests/s" for name in names), "ratio")
    for start in range(0, len(results), len(names)):
        pair = results[start : start + len(names)]
        ratio = f"{pair[0].rate / pair[1].rate:.2f}" if len(pair) == 2 else "-"
        table.add_row(
            pair[0].route, str(pair[0].clients), *(f"{each.rate:.0f}" for each in pair), ratio
        )
    return table


def _save(results: list[Measured], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"rest-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    report = {"machine": machine(), "results": [asdict(each) for each in results]}
    page.write_text(json.dumps(report, indent=1) + "\n")
    return page


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each server, for each route")
    parser.add_argument("--seconds", type=float, default=3.0, help="that a round takes")
    parser.add_argument("--without-orthanc", action="store_true", help="measure the gateway alone")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(
        main() if shutil.which("echoscu") else "nothing can be measured without DCMTK's echoscu"
    )
