"""What is measured, and how one run of it goes."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peers import Archive, Senders
from servers import Server

ROUTE = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  Delete(SendToModality(instanceId, 'archive'))
end
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """goal: how many times as fast as Orthanc we want to be. script: Lua; "" to receive only."""

    name: str
    title: str
    goal: float
    associations: int = 1
    script: str = ""


WORKLOADS = (
    Workload("receive1", "receive, 1 sender", goal=1.5),
    Workload("receive4", "receive, 4 senders", goal=1.2, associations=4),
    Workload("route", "receive, send, delete", goal=4, script=ROUTE),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. cpu_s is the server's, until all of the work was done.

    repeated: deliveries of what had arrived before.
    """

    server: str
    images: int
    elapsed_s: float
    cpu_s: float
    repeated: int

    @property
    def images_per_s(self) -> float:
        return self.images / self.elapsed_s

    @property
    def cpu_ms_per_image(self) -> float:
        return self.cpu_s * 1000 / self.images


def run_once(workload: Workload, kind: type[Server], images: Mapping[str, Path]) -> Run:
    """Start the server on a fresh folder, do the work, and see that all of it was done.

    The clock runs from the start of the senders until the last image is acknowledged or, with a
    script, has arrived at the archive. Raises BenchError.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Archive() as archive:
        with kind(Path(folder), archive.port, workload.script) as server:
            os.sync()  # nobody pays for what was written before
            cpu_before_s, started = server.cpu_s(), time.perf_counter()
            with Senders([*images.values()], server.port, workload.associations) as senders:
                if workload.script:
                    archive.wait_for(images)
                else:
                    senders.finish()
                elapsed_s = time.perf_counter() - started
                senders.finish()
            server.wait_until_it_keeps(0 if workload.script else len(images))
            cpu_s = server.cpu_s() - cpu_before_s
        repeated = archive.close_and_count_repetitions()
    return Run(kind.name, len(images), elapsed_s, cpu_s, repeated)
