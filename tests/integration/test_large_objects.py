"""Objects larger than memory should hold stream through, in both directions."""

import multiprocessing
import os
import resource
from pathlib import Path

import pytest
from dimse_support import CT, EXPLICIT, receiving

from gateway.config.models import Destination
from gateway.dicom import part10
from gateway.dimse.contexts import Context
from gateway.dimse.sender import open_association

MEGABYTE = 1 << 20
ALLOWED_GROWTH_BYTES = 24 * MEGABYTE


class CountingArrival:
    """Keeps nothing but the number of bytes."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts
        self._size = 0

    def __enter__(self) -> "CountingArrival":
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def write(self, fragment: bytes | memoryview) -> None:
        self._size += len(fragment)

    def keep(self) -> str:
        self._counts.append(self._size)
        return "kept"


def sparse_image(path: Path, size_bytes: int) -> Path:
    """A file whose data set takes no room on disk; that it is zeros is nothing to the network."""
    with path.open("wb") as file:
        file.write(part10.header(CT, "1.2.3", EXPLICIT))
        file.truncate(file.tell() + size_bytes)
    return path


def send_measured(path: Path, port: int, growth: "multiprocessing.Queue[int]") -> None:
    """Send the file from a process of its own; put by how many bytes its peak memory grew."""
    association = open_association(
        Destination(aet="GATEWAY", host="127.0.0.1", port=port),
        calling_aet="SENDER",
        contexts=[Context(CT, EXPLICIT)],
    )
    before = peak_bytes()
    association.store(path)
    growth.put(peak_bytes() - before)
    association.release()


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    "size_bytes",
    [128 * MEGABYTE, pytest.param(2048 * MEGABYTE + 2, marks=pytest.mark.long)],
    ids=["128 MB", "2 GB"],
)
def test_memory_does_not_grow_with_the_object_on_either_side(tmp_path, size_bytes, monkeypatch):
    path = sparse_image(tmp_path / "large.dcm", size_bytes)
    counts: list[int] = []
    with receiving(tmp_path / "in") as running:
        monkeypatch.setattr(running.ingest, "begin", lambda **_: CountingArrival(counts))
        spawn = multiprocessing.get_context("spawn")
        growth: multiprocessing.Queue[int] = spawn.Queue()
        before = peak_bytes()
        sender = spawn.Process(target=send_measured, args=(path, running.port, growth))
        sender.start()
        sent_growth = growth.get(timeout=100)
        sender.join(20)
        assert counts == [size_bytes]
        assert sent_growth < ALLOWED_GROWTH_BYTES
        assert peak_bytes() - before < ALLOWED_GROWTH_BYTES
    assert sender.exitcode == 0
    assert os.listdir(tmp_path / "in") == []
    growth.close()
    growth.join_thread()
