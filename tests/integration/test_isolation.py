"""Who sees received bytes: code that decodes pixels runs in codec processes only.

A real gateway receives, transcodes and forwards images in every compressed syntax, good and damaged
ones, while its own process cannot import any codec library; the operating system tells which
libraries its processes have mapped. (Else pydicom loads those for which it has plugins of its own,
when it is imported; imagecodecs is not among them.)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import gateway_process
import pytest
from archive import Archive
from codec_support import EXPLICIT
from fuzzing.mutations import good_file
from fuzzing.subjects import KINDS, subjects
from gateway_process import GatewayProcess
from pydicom import Dataset
from waiting import wait_until

from gateway.codecs.headers import put
from gateway.dimse.files import send_files
from gateway.model import TaskRow, TaskState

pytestmark = pytest.mark.slow

# A module with C code of each.
CODEC_LIBRARIES = (
    *("imagecodecs._jpeg8", "_openjpeg", "rle.rle", "_CharLS", "_jxlpy", "zlib_ng.zlib_ng"),
)
# Python imports it at its start, whatever it is to run.
SITECUSTOMIZE = """
import sys
if "gateway.codecs.worker" not in sys.orig_argv:
    for name in ("imagecodecs", "pylibjpeg", "openjpeg", "rle", "jpeg_ls", "_jxlpy", "zlib_ng"):
        sys.modules[name] = None
"""
LUA = """
function OnStoredInstance(id)
  Forward(Transcode(id, 'ExplicitVRLittleEndian'), 'archive')
end
"""
NOT_COMPRESSED = ("large", "nested", "native", "implicit", "big-endian", "deflated")
COMPRESSED = [kind for kind in KINDS if kind not in NOT_COMPRESSED]


@contextmanager
def transcoding(folder: Path) -> Iterator[tuple[GatewayProcess, Archive]]:
    """A gateway that makes everything native for its archive."""
    archive = Archive([EXPLICIT])
    toml = archive.destination("archive") + "codecs.processes = 2\n"
    gateway = GatewayProcess(folder, toml)
    gateway.script("route.lua", LUA)
    with archive.listening(), gateway:
        yield gateway, archive


def _images(folder: Path) -> list[Path]:
    """One good image of every compressed kind, and for each a damaged one; all instances differ."""
    paths = []
    for number, kind in enumerate(COMPRESSED):
        subject = subjects(kind)[0]
        for damaged in (False, True):
            header = Dataset()
            header.update(subject.header)
            put(header, 0x00080018, "UI", f"1.2.826.0.1.3680043.9.{number}.{int(damaged)}")
            [codestream] = subject.codestreams
            middle = len(codestream) // 2
            broken = codestream[: middle - 20] + bytes(40) + codestream[middle + 20 :]
            image = replace(subject, header=header, codestreams=[broken if damaged else codestream])
            paths.append(folder / f"{kind}-{damaged}.dcm")
            paths[-1].write_bytes(good_file(image))
    return paths


def _parked(gateway: GatewayProcess) -> list[TaskRow]:
    return [task for task in gateway.tasks() if task.state == TaskState.PARKED]


def _mapped(process_id: int) -> set[str]:
    """The codec libraries in the address space of a process."""
    maps = Path(f"/proc/{process_id}/maps").read_text()
    return {name for name in CODEC_LIBRARIES if str(find_spec(name).origin) in maps}


def _codec_processes(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").iterdir()
    children = " ".join((task / "children").read_text() for task in tasks).split()
    return [
        int(child)
        for child in children
        if b"gateway.codecs.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.fixture
def without_codecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways that are started cannot import codecs; their codec processes can."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    monkeypatch.setitem(gateway_process.ENVIRONMENT, "PYTHONPATH", str(tmp_path / "site"))


@pytest.mark.usefixtures("without_codecs")
def test_the_process_that_receives_stores_and_sends_decodes_nothing(tmp_path: Path):
    images = _images(tmp_path)
    with transcoding(tmp_path) as (gateway, archive):
        sent = send_files(
            images, "127.0.0.1", gateway.port, called_aet="GATEWAY", calling_aet="CT",
            on_result=lambda path, error: None,
        )  # fmt: skip
        assert sent == len(images)
        archive.wait_for(len(COMPRESSED))
        wait_until(lambda: len(archive.deliveries) + len(_parked(gateway)) == len(images), 60)
        parked = _parked(gateway)
        assert _mapped(gateway.pid) == set()
        codec_processes = _codec_processes(gateway.pid)
        assert len(codec_processes) == 2
        assert set.union(*map(_mapped, codec_processes)) == set(CODEC_LIBRARIES)
    assert {task.error_kind for task in parked} <= {"codec-failed", "transcode-unsupported"}
    assert all(task.error for task in parked)
