"""Kill the gateway again and again while images stream in, then count: `make crash`.

Several associations send without a pause. At random moments the gateway gets SIGKILL and is
started again. In the end every acknowledged instance must be stored with the bytes that were sent,
its event handled, and its forward delivered at least once.
"""

import argparse
import hashlib
import random
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from archive import Archive
from dimse_support import data_set_of
from gateway_process import GatewayProcess
from images import make_ct
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from waiting import wait_until

from gateway.config.models import Destination
from gateway.dicom import part10
from gateway.dimse.contexts import Context
from gateway.dimse.sender import open_association
from gateway.errors import RemoteError

SCRIPT = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  Forward(instanceId, 'archive')
end
"""
SETTLE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What is left after all the killing. lost_* must be 0."""

    kills: int
    acknowledged: int
    stored: int
    delivered: int
    doubled: int
    lost_from_store: int
    lost_from_archive: int
    events_waiting: int
    events_parked: int

    @property
    def nothing_lost(self) -> bool:
        return not (
            self.lost_from_store
            or self.lost_from_archive
            or self.events_waiting
            or self.events_parked
        )


class Sender(threading.Thread):
    """Sends new images over one association after the other until told to stop."""

    def __init__(self, folder: Path, port: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, str] = {}  # SOP Instance UID -> SHA-256 of the data set
        self._folder = folder
        self._stopping = stopping
        self._peer = Destination(aet="GATEWAY", host="127.0.0.1", port=port, dimse_timeout_s=20)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._send_until_it_breaks()
            except RemoteError:  # it was killed: the image in hand was not acknowledged
                self._stopping.wait(0.1)

    def _send_until_it_breaks(self) -> None:
        context = Context(str(CTImageStorage), str(ExplicitVRLittleEndian))
        association = open_association(self._peer, calling_aet="CT", contexts=[context])
        try:
            while not self._stopping.is_set():
                path = make_ct(
                    self._folder / "image.dcm", pixel_bytes=random.choice((8192, 200_000))
                )
                association.store(path)
                uid = part10.read_meta(path).sop_instance_uid
                self.acknowledged[uid] = hashlib.sha256(data_set_of(path)).hexdigest()
        finally:
            association.release()


def crash(folder: Path, *, kills: int, associations: int, longest_life_s: float) -> Tally:
    """Kill so often, then let it come to rest, and count."""
    archive, stopping = Archive(), threading.Event()
    gateway = GatewayProcess(
        folder,
        "retry.first_delay_s = 0.1\nretry.maximum_delay_s = 1\n" + archive.destination("archive"),
    )
    gateway.script("forward.lua", SCRIPT)
    senders = []
    for number in range(associations):
        (folder / f"sender-{number}").mkdir()
        senders.append(Sender(folder / f"sender-{number}", gateway.port, stopping))
    try:
        with archive.listening(), gateway:
            for sender in senders:
                sender.start()
            for _ in range(kills):
                # Also right after the start, while recovery and the first commits run.
                time.sleep(random.uniform(0, longest_life_s))
                gateway.kill()
                gateway.start()
            time.sleep(random.uniform(0.2, longest_life_s))
            stopping.set()
            for sender in senders:
                sender.join(60)
            acknowledged = {k: v for sender in senders for k, v in sender.acknowledged.items()}
            wait_until(lambda: is_settled(folder), SETTLE_TIMEOUT_S)
    finally:
        stopping.set()
    return count(folder, kills, acknowledged, archive.deliveries)


def is_settled(folder: Path) -> bool:
    """No event waits, and no task is open."""
    with sqlite3.connect(folder / "data" / "index.sqlite", timeout=30) as index:
        (waiting,) = index.execute(
            "select count(*) from event where event_id > (select min(cursor) from lane)"
        ).fetchone()
        (open_tasks,) = index.execute(
            "select count(*) from task where state in ('waiting', 'running', 'blocked')"
        ).fetchone()
    return waiting == 0 and open_tasks == 0


def count(
    folder: Path, kills: int, acknowledged: dict[str, str], deliveries: dict[str, int]
) -> Tally:
    """Look at the index, at every file, and at what the archive has."""
    with sqlite3.connect(folder / "data" / "index.sqlite") as index:
        stored = dict(
            index.execute(
                "select sop_instance_uid, storage_key "
                "from instance join version using (instance_id)"
            ).fetchall()
        )
        (parked,) = index.execute("select count(*) from lane_event").fetchone()
        (waiting,) = index.execute(
            "select count(*) from event where event_id > (select min(cursor) from lane)"
        ).fetchone()
    files = {path.stem: path for path in (folder / "data" / "files").glob("*/*/*.dcm")}
    intact = {
        uid
        for uid, key in stored.items()
        if key in files
        and acknowledged.get(uid) == hashlib.sha256(data_set_of(files[key])).hexdigest()
    }
    return Tally(
        kills=kills,
        acknowledged=len(acknowledged),
        stored=len(stored),
        delivered=len(deliveries),
        doubled=sum(1 for times in deliveries.values() if times > 1),
        lost_from_store=len(acknowledged.keys() - intact),
        lost_from_archive=len(acknowledged.keys() - deliveries.keys()),
        events_waiting=waiting,
        events_parked=parked,
    )


def main() -> int:
    """The long version; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--longest-life", type=float, default=4.0, help="seconds")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="gateway-crash-") as folder:
        tally = crash(
            Path(folder),
            kills=arguments.kills,
            associations=arguments.associations,
            longest_life_s=arguments.longest_life,
        )
    print(tally)  # noqa: T201 - a command
    return 0 if tally.nothing_lost else 1


if __name__ == "__main__":
    raise SystemExit(main())
