"""Files larger than memory should hold go through the REST interface by the piece, both ways."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_process import GatewayProcess
from images import made_ct
from rest_support import file_bytes

MEGABYTE = 1 << 20
ALLOWED_GROWTH_BYTES = 24 * MEGABYTE
PIECE = bytes(range(256)) * 4096


def large_file(pixel_bytes: int) -> Iterator[bytes]:
    """A DICOM file whose pixels, the last element, are so long; by the piece."""
    small = file_bytes(made_ct(1, rows=4, columns=4))
    assert small[-36:-32] == (32).to_bytes(4, "little")
    yield small[:-36] + pixel_bytes.to_bytes(4, "little")
    for _ in range(pixel_bytes // len(PIECE)):
        yield PIECE


def peak_bytes(pid: int) -> int:
    """The most memory that a process has ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def digest_of(pieces: Iterator[bytes]) -> tuple[str, int]:
    """What these are, and how many bytes."""
    found, size = hashlib.sha256(), 0
    for piece in pieces:
        found.update(piece)
        size += len(piece)
    return found.hexdigest(), size


@pytest.mark.slow
@pytest.mark.parametrize(
    "pixel_bytes",
    [64 * MEGABYTE, pytest.param(2050 * MEGABYTE, marks=[pytest.mark.long])],
    ids=["64 MB", "2 GB"],
)
def test_memory_does_not_grow_with_what_is_uploaded_and_downloaded(tmp_path, pixel_bytes):
    pixels, _ = digest_of(PIECE for _ in range(pixel_bytes // len(PIECE)))
    _, size = digest_of(large_file(pixel_bytes))
    with GatewayProcess(tmp_path) as gateway:
        url = f"http://127.0.0.1:{gateway.http_port}"
        with httpx.Client(base_url=url, timeout=300) as client:
            assert client.get("/statistics").status_code == 200
            before = peak_bytes(gateway.pid)
            chunked = client.post("/instances", content=large_file(pixel_bytes))
            assert client.delete(chunked.json()["Path"]).status_code == 200
            sized = {"Content-Length": str(size)}
            stored = client.post("/instances", content=large_file(pixel_bytes), headers=sized)
            assert stored.json()["Status"] == chunked.json()["Status"] == "Success"
            path = stored.json()["Path"]
            for wanted in ("file", "attachments/dicom/data", "content/7fe0-0010/0"):
                with client.stream("GET", f"{path}/{wanted}") as answer:
                    sent = digest_of(answer.iter_raw(MEGABYTE))
                assert sent[1] >= pixel_bytes
            assert sent == (pixels, pixel_bytes)
            assert client.get(f"{path}/tags").json()["7fe0,0010"]["Value"] is None
            growth = peak_bytes(gateway.pid) - before
    assert growth < ALLOWED_GROWTH_BYTES, growth
