"""A week of small events through one lane, watching what grows: `make soak`.

The scripting half is a real one in both runs: a script with every event callback, in its lane, in
its runtime. First with a queue in memory, which is fast; then in a whole gateway, whose events come
from its index and are settled there, and whose images come, are deleted by the script and go.
"""

import argparse
import logging
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import structlog
from images import made_ct
from rest_support import file_bytes
from scripting_support import FakeTags, make_event
from sqlalchemy import func, select
from waiting import wait_until

from gateway.app import Gateway
from gateway.config.models import Configuration, Scripts
from gateway.metrics import Metrics
from gateway.model import Event, EventKind, Origin, OriginKind, ParkedEvent, Step, TranscodeOptions
from gateway.scripting.host import ScriptHost
from gateway.scripting.site import Site
from gateway.store import schema
from gateway.store.notices import add_notice
from gateway.store.opened import Store

SCRIPT_NAME = "soak.lua"
SCRIPT = (
    """
local function remember(id, tags, metadata, origin)
  local text = DumpJson({id = id, tags = tags, metadata = metadata, origin = origin}, true)
  local again = ParseJson(text)
  assert(again.id == id)
  return text:gsub('%d', '#'):upper()
end
"""
    + "".join(
        f"function {kind}(id, tags, metadata, origin) remember(id, tags, metadata, origin) end\n"
        for kind in EventKind
        if kind is not EventKind.STORED_INSTANCE
    )
    + """
function OnStoredInstance(id, tags, metadata, origin)
  remember(id, tags, metadata, origin)
  Delete(id)
end
"""
)
TAGS = FakeTags(
    PatientName="A^B", PatientID="1", Modality="CT", InstanceNumber="1",
    ReferencedStudySequence=[{"ReferencedSOPInstanceUID": f"1.2.{n}"} for n in range(5)],
)  # fmt: skip
_SAMPLES = 20
_NOTICES_PER_IMAGE = 50
_MOST_WAITING = 2000
_MB = 1 << 20
_MOST_LOG_BYTES = 16 * _MB


@dataclass(frozen=True, slots=True)
class Sample:
    """What there was when so many events had been handled. Sizes in bytes; rows of the index."""

    events: int
    seconds: float
    resident: int
    index: int = 0
    write_ahead_log: int = 0
    event_rows: int = 0
    version_rows: int = 0

    def __str__(self) -> str:
        return (
            f"{self.events:>9,} events {self.seconds:6.0f} s"
            f"  resident {self.resident / _MB:6.1f} MB  index {self.index / _MB:5.1f} MB"
            f"  log {self.write_ahead_log / _MB:4.1f} MB"
            f"  rows: {self.event_rows} events, {self.version_rows} versions"
        )


Watcher = Callable[[Sample], None]


class EndlessQueue:
    """An EventQueue that keeps nothing: events are made as they are asked for."""

    def __init__(self, events: int, reached: Callable[[int], None]) -> None:
        """reached: told how many were handled, after each."""
        self._events = events
        self._reached = reached
        self._open: dict[int, Event] = {}
        self._numbers = count(1)
        self._handled = 0
        self.is_over = threading.Event()
        self.failure = ""

    def opened(self, lane: str) -> None: ...
    def closed(self, lane: str) -> None: ...
    def status(
        self, lane: str, *, script_version: str, callbacks: Sequence[str], fault: str
    ) -> None:
        self._fail(fault)

    def pending(self, lane: str, limit: int) -> Sequence[Event]:
        while len(self._open) < limit:
            number = next(self._numbers)
            self._open[number] = _event(number)
        return list(self._open.values())

    def settle(self, lane: str, event: Event, steps: Sequence[Step]) -> None:
        self._over(event.event_id)

    def park(self, parked: ParkedEvent) -> None:
        self._fail(parked.error)

    def wait(self, lane: str, timeout_s: float) -> None:
        time.sleep(timeout_s)

    def wake(self) -> None: ...
    def beat(self, lane: str, steps: Sequence[Step]) -> None: ...

    def _over(self, number: int) -> None:
        del self._open[number]
        self._handled += 1
        self._reached(self._handled)
        if self._handled >= self._events:
            self.is_over.set()

    def _fail(self, reason: str) -> None:
        if reason:
            self.failure = reason
            self.is_over.set()


def _event(number: int) -> Event:
    kinds = list(EventKind)
    kind = kinds[number % len(kinds)]
    if kind is EventKind.STORED_INSTANCE:
        return make_event(number)
    return Event(number, kind, f"subject-{number}")


def soak_in_memory(folder: Path, events: int, watch: Watcher) -> list[Sample]:
    """Events that cost nothing but their handling."""
    (folder / SCRIPT_NAME).write_text(SCRIPT)
    samples: list[Sample] = []
    began_s = time.monotonic()

    def reached(handled: int) -> None:
        if handled % max(1, events // _SAMPLES) == 0:
            samples.append(Sample(handled, time.monotonic() - began_s, resident_bytes()))
            watch(samples[-1])

    queue = EndlessQueue(events, reached)
    host = ScriptHost(Scripts(folder=folder), queue, TAGS, Site({}, TranscodeOptions()), Metrics())
    host.start()
    try:
        queue.is_over.wait()
    finally:
        host.stop()
    assert not queue.failure, queue.failure
    return samples


def soak_gateway(folder: Path, events: int, watch: Watcher) -> list[Sample]:
    """Events of a whole gateway: notices of all kinds, and images that come, and that go again."""
    (folder / "scripts").mkdir()
    (folder / "scripts" / SCRIPT_NAME).write_text(SCRIPT)
    samples: list[Sample] = []
    with _running(folder) as gateway:
        began_s = time.monotonic()
        for number in range(1, _SAMPLES + 1):
            _feed(gateway, events * number // _SAMPLES)
            samples.append(_sample(gateway.inside.store, folder, time.monotonic() - began_s))
            watch(samples[-1])
    return samples


def _feed(gateway: Gateway, up_to: int) -> None:
    """Until so many events have been handled since the beginning."""
    outbox = gateway.inside.store.outbox
    while (handled := _handled(gateway.inside.store)) < up_to:
        assert not outbox.parked_events()
        if sum(lane.events_waiting for lane in outbox.lanes()) < _MOST_WAITING:
            _enter(gateway, handled)
        else:
            time.sleep(0.05)
    # The housekeeping does so every ten minutes.
    while outbox.forget_notices():
        pass


def _sample(store: Store, folder: Path, seconds: float) -> Sample:
    with store.engine.connect() as connection:
        event_rows, version_rows = (
            connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (schema.event, schema.version)
        )
    sizes = {path.suffix: path.stat().st_size for path in folder.glob("data/*.sqlite*")}
    return Sample(
        events=_handled(store),
        seconds=seconds,
        resident=resident_bytes(),
        index=sizes.get(".sqlite", 0),
        write_ahead_log=sizes.get(".sqlite-wal", 0),
        event_rows=event_rows,
        version_rows=version_rows,
    )


def _enter(gateway: Gateway, handled: int) -> None:
    """Some notices of all kinds but those of images, which come by themselves, and one image."""
    kinds = [kind for kind in EventKind if kind is not EventKind.STORED_INSTANCE]
    subjects = [f"soak-{handled}-{number}" for number in range(_NOTICES_PER_IMAGE)]
    now = time.time()
    gateway.inside.store.committer.commit(
        lambda connection: [
            add_notice(connection, kinds[number % len(kinds)], subject, now)
            for number, subject in enumerate(subjects)
        ]
    )
    image = made_ct(handled + 1)
    answer = gateway.inside.application.call(
        "POST", "/instances", body=file_bytes(image), origin=Origin(OriginKind.REST)
    )
    assert answer.status_code == 200, answer.get_data()


def _handled(store: Store) -> int:
    return sum(lane.events_handled for lane in store.outbox.lanes())


@contextmanager
def _running(folder: Path) -> Iterator[Gateway]:
    """A whole gateway, but for its ports, whose script has loaded; nothing failed in it."""
    gateway = Gateway(
        Configuration.model_validate(
            {
                "dicom": {"enabled": False},
                "http": {"enabled": False},
                "store": {"folder": folder / "data", "minimum_free_mb": 0},
                "scripts": {"folder": folder / "scripts"},
            }
        )
    )
    gateway.start()
    try:
        outbox = gateway.inside.store.outbox
        wait_until(lambda: any(lane.script_version for lane in outbox.lanes()))
        yield gateway
        assert not outbox.parked_events()
    finally:
        gateway.stop()


def resident_bytes() -> int:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def growth_bytes(samples: Sequence[Sample]) -> int:
    """Of the resident memory, from when everything had been used once to the end."""
    return samples[-1].resident - samples[len(samples) // 4].resident


def is_bounded(samples: Sequence[Sample]) -> bool:
    """The index holds what waits, and a log that is begun anew; not what has been."""
    last = samples[-1]
    return (
        last.event_rows < 2 * _MOST_WAITING
        and last.version_rows < 2 * _MOST_WAITING / _NOTICES_PER_IMAGE
        and last.write_ahead_log < _MOST_LOG_BYTES
    )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-memory", type=int, default=1_000_000, help="events; 0: not at all")
    parser.add_argument("--in-gateway", type=int, default=200_000, help="events; 0: not at all")
    parser.add_argument("--most-mb", type=float, default=16, help="more growth is a failure")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    is_flat = True
    for soak, events in (
        (soak_in_memory, arguments.in_memory),
        (soak_gateway, arguments.in_gateway),
    ):
        if events:
            with tempfile.TemporaryDirectory(prefix="gateway-soak-") as folder:
                samples = soak(Path(folder), events, _show)
            grown_mb = growth_bytes(samples) / _MB
            print(f"{soak.__name__}: memory grew by {grown_mb:.1f} MB", flush=True)  # noqa: T201
            is_flat = is_flat and grown_mb <= arguments.most_mb and is_bounded(samples)
    return int(not is_flat)


def _show(sample: Sample) -> None:
    print(sample, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
