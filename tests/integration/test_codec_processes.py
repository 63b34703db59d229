"""The codec processes at work: real files, hostile ones, and processes that are killed.

The table of outcomes covers every file with pixels that pydicom's wheel brings along.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from codec_support import (
    EXPLICIT,
    HTJ2K,
    IMPLICIT,
    J2K,
    TARGETS,
    encapsulated,
    header_of,
    noise,
    samples_of,
    write_file,
    write_native,
)
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.filereader import read_file_meta_info
from waiting import wait_until

from gateway.codecs.processes import CodecPool
from gateway.dicom.encoding import element_header
from gateway.errors import (
    CodecFailed,
    CodecProcessDied,
    CodecTimedOut,
    TranscodeError,
    TranscodeUnsupported,
)
from gateway.model import TranscodeOptions, TranscodeReport

# pydicom warns about oddities of its own files, while it reads them as we do.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Expected explicit VR"),
    pytest.mark.filterwarnings("ignore:Invalid value for VR"),
    pytest.mark.filterwarnings("ignore:The .* Photometric Interpretation"),
    pytest.mark.filterwarnings("ignore:The pixel data is"),
]

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
VERIFY = TranscodeOptions()


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    codecs = CodecPool(processes=2, memory_mb=1024, timeout_s=60)
    yield codecs
    codecs.close()


@pytest.fixture
def make_pool() -> Iterator[Callable[..., CodecPool]]:
    pools: list[CodecPool] = []

    def make(*, processes: int = 1, memory_mb: int = 1024, timeout_s: float = 60) -> CodecPool:
        pools.append(CodecPool(processes=processes, memory_mb=memory_mb, timeout_s=timeout_s))
        return pools[-1]

    yield make
    for codecs in pools:
        codecs.close()


@pytest.fixture(scope="module")
def slow_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes a codec process many seconds."""
    path = tmp_path_factory.mktemp("slow") / "slow.dcm"
    return write_native(path, np.repeat(noise((1, 1024, 1024), "u2"), 40, axis=0))


def is_running(process_id: int) -> bool:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def has_open(process_ids: Iterable[int], path: Path) -> bool:
    """Whether one of the processes reads the file."""
    links = [link for each in process_ids for link in Path(f"/proc/{each}/fd").glob("*")]
    for link in links:
        with suppress(OSError):  # closed meanwhile
            if link.readlink() == path:
                return True
    return False


# --- every bundled file --------------------------------------------------------------------------

# What Implicit VR LE, Explicit VR LE and JPEG 2000 Lossless become: ok, or the error's kind.
OK = ("ok", "ok", "ok")
NATIVE_ONLY = ("ok", "ok", "transcode-unsupported")
REFUSED = ("transcode-unsupported",) * 3
NO_PART_10 = ("codec-failed",) * 3

OUTCOMES = {
    "693_J2KI.dcm": OK,
    "CT_small.dcm": OK,
    "ExplVR_BigEnd.dcm": OK,
    "GDCMJ2K_TextGBR.dcm": OK,
    "J2K_pixelrep_mismatch.dcm": OK,
    "JPEG-lossy.dcm": OK,
    # SIZ claims 3722445056 columns.
    "JPEG2000-embedded-sequence-delimiter.dcm": REFUSED,
    "JPEG2000.dcm": OK,
    "JPEGLSNearLossless_08.dcm": OK,
    "JPEGLSNearLossless_16.dcm": OK,
    "JPGExtended.dcm": OK,
    "MR_small.dcm": OK,
    "MR_small_RLE.dcm": OK,
    "MR_small_bigendian.dcm": OK,
    "MR_small_expb.dcm": OK,
    "MR_small_implicit.dcm": OK,
    "MR_small_jp2klossless.dcm": OK,
    "MR_small_jpeg_ls_lossless.dcm": OK,
    "MR_small_padded.dcm": OK,
    # The last 62 bytes are missing; what is Explicit VR LE already is copied as it is.
    "MR_truncated.dcm": ("codec-failed", "ok", "codec-failed"),
    "SC_jpeg_no_color_transform.dcm": OK,
    "SC_jpeg_no_color_transform_2.dcm": OK,
    "SC_rgb_dcmtk_+eb+cr.dcm": OK,
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": OK,
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": OK,
    "SC_rgb_dcmtk_+eb+cy+np.dcm": OK,
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": OK,
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": OK,
    "SC_rgb_gdcm_KY.dcm": OK,
    "SC_rgb_jls_lossy_line.dcm": OK,
    "SC_rgb_jls_lossy_sample.dcm": OK,
    "SC_rgb_jpeg.dcm": OK,
    "SC_rgb_jpeg_app14_dcmd.dcm": OK,
    "SC_rgb_jpeg_dcmd.dcm": OK,
    "SC_rgb_jpeg_dcmtk.dcm": OK,
    "SC_rgb_jpeg_gdcm.dcm": OK,
    "SC_rgb_jpeg_lossy_gdcm.dcm": OK,
    "SC_rgb_rle.dcm": OK,
    "SC_rgb_rle_16bit.dcm": OK,
    "SC_rgb_rle_16bit_2frame.dcm": OK,
    "SC_rgb_rle_2frame.dcm": OK,
    "SC_rgb_rle_32bit.dcm": NATIVE_ONLY,
    "SC_rgb_rle_32bit_2frame.dcm": NATIVE_ONLY,
    "SC_rgb_small_odd.dcm": OK,
    "SC_rgb_small_odd_big_endian.dcm": OK,
    "SC_rgb_small_odd_jpeg.dcm": OK,
    "SC_ybr_full_422_uncompressed.dcm": OK,
    # NumberOfFrames is "1A", which only an encoder has to know.
    "badVR.dcm": NATIVE_ONLY,
    "examples_jpeg2k.dcm": OK,
    "examples_overlay.dcm": OK,
    "examples_palette.dcm": OK,
    "examples_rgb_color.dcm": OK,
    "examples_ybr_color.dcm": OK,
    "image_dfl.dcm": OK,
    "liver_1frame.dcm": NATIVE_ONLY,
    "liver_expb_1frame.dcm": NATIVE_ONLY,
    "no_meta.dcm": NO_PART_10,
    "rtdose.dcm": NATIVE_ONLY,
    "rtdose_1frame.dcm": NATIVE_ONLY,
    # 32 bits in Big Endian: readers disagree on the byte order.
    "rtdose_expb.dcm": REFUSED,
    "rtdose_expb_1frame.dcm": REFUSED,
    "rtdose_rle.dcm": NATIVE_ONLY,
    "rtdose_rle_1frame.dcm": NATIVE_ONLY,
}


# Their bytes hold Pixel Data's tag by chance.
WITHOUT_PIXELS = {"meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"}
# Decoders other than ours are in the peer tests below.
LOSSY_JPEG_AND_JPEG_LS = ("50", "51", "80", "81")
# pydicom refuses to make an array of them; what they become is compared by its bytes.
NO_ARRAY = {"badVR.dcm", "MR_truncated.dcm", "no_meta.dcm"}


def test_every_bundled_file_with_pixels_has_an_expected_outcome():
    tags_of_pixels = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
    files = {
        path.name
        for path in BUNDLED.rglob("*.dcm")
        if any(tag in path.read_bytes() for tag in tags_of_pixels)
    }
    files.add("image_dfl.dcm")  # deflated
    assert files - WITHOUT_PIXELS == OUTCOMES.keys()


@pytest.mark.parametrize("name", OUTCOMES)
def test_bundled_file(name: str, pool: CodecPool, tmp_path: Path):
    source = BUNDLED / name
    targets = {syntax: tmp_path / f"{syntax}.dcm" for syntax in TARGETS}
    outcomes = tuple(_outcome(pool, source, targets[syntax], syntax) for syntax in TARGETS)
    assert outcomes == OUTCOMES[name]
    assert [path.exists() for path in targets.values()] == [each == "ok" for each in outcomes]
    made = [path for path in targets.values() if path.exists()]
    if name in NO_ARRAY:
        assert len({dcmread(path).PixelData for path in made}) <= 1
        return
    found = [samples_of(path) for path in made]
    expected = _reference(source) if found else None
    for samples in found:
        np.testing.assert_array_equal(samples, found[0] if expected is None else expected)


def _outcome(pool: CodecPool, source: Path, target: Path, syntax: str) -> str:
    try:
        report = pool.transcode(source, target, [syntax], VERIFY)
    except TranscodeError as error:
        return error.kind
    assert bool(report.verified_by) == report.changed
    return "ok"


def _reference(path: Path) -> np.ndarray | None:
    """The samples as another decoder than ours finds them; None where none is installed.

    pydicom has its own for native and RLE, and pylibjpeg-openjpeg for JPEG 2000; imagecodecs'
    jpegsof3 shares no code with libjpeg-turbo.
    """
    dataset = dcmread(path)
    ending = dataset.file_meta.TransferSyntaxUID.rpartition(".")[2]
    if ending in LOSSY_JPEG_AND_JPEG_LS:
        return None
    if ending == "70":
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        return np.asarray(imagecodecs.jpegsof3_decode(frame))[np.newaxis]
    return samples_of(path)


# --- lossy JPEG and JPEG-LS, as others decode them -----------------------------------------------


def _of_peers() -> list[str]:
    ok = [name for name, outcome in OUTCOMES.items() if outcome == OK]
    return [name for name in ok if _reference_needs_peer(BUNDLED / name)]


def _reference_needs_peer(path: Path) -> bool:
    syntax = read_file_meta_info(path).TransferSyntaxUID
    return syntax.rpartition(".")[2] in LOSSY_JPEG_AND_JPEG_LS


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, timeout=60
    ).stdout


# GDCM takes 1.3 GB of memory to decode it: a minute, on a busy machine.
GREEDY = "SC_rgb_jpeg.dcm"


@pytest.mark.peer
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name == GREEDY else [])
        for name in _of_peers()
    ],
)
def test_gdcm_decodes_the_same_samples(name: str, pool: CodecPool, tmp_path: Path):
    gdcmconv = _program("gdcmconv")
    ours, theirs = tmp_path / "ours.dcm", tmp_path / "theirs.dcm"
    pool.transcode(BUNDLED / name, ours, [EXPLICIT], VERIFY)
    _run(gdcmconv, "--raw", BUNDLED / name, theirs)
    assert dcmread(ours).PixelData == dcmread(theirs).PixelData


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT_small.dcm", "SC_rgb_rle_2frame.dcm", "examples_palette.dcm"])
def test_gdcm_and_dcmtk_read_what_we_compress(name: str, pool: CodecPool, tmp_path: Path):
    gdcmconv, dcmdump = _program("gdcmconv"), _program("dcmdump")
    ours, theirs, native = (tmp_path / f"{kind}.dcm" for kind in ("ours", "theirs", "native"))
    pool.transcode(BUNDLED / name, ours, [J2K], VERIFY)
    pool.transcode(BUNDLED / name, native, [IMPLICIT], VERIFY)
    assert "JPEG 2000" in _run(dcmdump, ours) or "JPEG2000" in _run(dcmdump, ours)
    _run(gdcmconv, "--raw", ours, theirs)
    assert dcmread(theirs).PixelData == dcmread(native).PixelData


# --- processes -----------------------------------------------------------------------------------


def _begin(pool: CodecPool, source: Path, target: Path) -> Future[TranscodeReport]:
    """Start a transcoding in a thread; return when a process is at it."""
    executor = ThreadPoolExecutor(1)
    running = executor.submit(pool.transcode, source, target, [J2K], VERIFY)
    wait_until(lambda: running.done() or has_open(pool.process_ids(), source), 30)
    executor.shutdown(wait=False)
    return running


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, r"was ended from outside \(SIGKILL\)"),
        (signal.SIGSEGV, r"crashed \(SIGSEGV\)"),
        (signal.SIGABRT, r"crashed \(SIGABRT\)"),
        (signal.SIGPROF, "used more CPU time than such an image can need"),
    ],
)
def test_a_process_that_ends_fails_its_own_task_only(
    number, reason, make_pool, slow_image, tmp_path
):
    pool = make_pool()
    running = _begin(pool, slow_image, tmp_path / "killed.dcm")
    [process_id] = pool.process_ids()
    os.kill(process_id, number)
    with pytest.raises(CodecProcessDied, match=reason):
        running.result(timeout=30)
    assert not list(tmp_path.glob("killed.dcm*"))
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "next.dcm", [J2K], VERIFY)
    assert pool.process_ids() != [process_id]


def test_a_process_killed_while_idle_is_replaced_unnoticed(make_pool, tmp_path):
    pool = make_pool(processes=2)
    for round_number in range(3):
        for process_id in pool.process_ids():
            os.kill(process_id, signal.SIGKILL)
        target = tmp_path / f"{round_number}.dcm"
        pool.transcode(BUNDLED / "CT_small.dcm", target, [J2K], VERIFY)


def test_a_task_that_takes_too_long_is_ended(make_pool, slow_image, tmp_path):
    pool = make_pool(timeout_s=0.3)
    with pytest.raises(CodecTimedOut, match=r"0\.3 s"):
        pool.transcode(slow_image, tmp_path / "late.dcm", [J2K], VERIFY)
    assert not (tmp_path / "late.dcm").exists()


def test_a_task_that_needs_too_much_memory_is_ended(make_pool, tmp_path):
    pool = make_pool(memory_mb=48)
    header = header_of(noise((1, 8, 8), "u1"))
    bulk = element_header(0x00091001, "UN", 100 << 20, implicit_vr=False) + bytes(100 << 20)
    write_file(tmp_path / "large.dcm", EXPLICIT, header, b"", after=b"")
    meta_and_header = (tmp_path / "large.dcm").read_bytes()
    (tmp_path / "large.dcm").write_bytes(meta_and_header + bulk)
    with pytest.raises(CodecProcessDied, match="more than 48 MB"):
        pool.transcode(tmp_path / "large.dcm", tmp_path / "never.dcm", [IMPLICIT], VERIFY)
    assert not (tmp_path / "never.dcm").exists()
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "next.dcm", [J2K], VERIFY)


def test_an_image_that_would_need_too_much_memory_is_refused(make_pool, slow_image, tmp_path):
    with pytest.raises(TranscodeUnsupported, match="needs 24 MB"):
        make_pool(memory_mb=16).transcode(slow_image, tmp_path / "never.dcm", [J2K], VERIFY)


def test_more_cpu_time_than_granted_ends_a_process():
    spin = (
        "from gateway.codecs import limits\n"
        "limits._CPU_SECONDS_TO_BEGIN = 0.1\n"
        "limits.grant_cpu(0)\n"
        "while True: pass"
    )
    ended = subprocess.run([sys.executable, "-c", spin], timeout=60, check=False)
    assert ended.returncode == -signal.SIGPROF


def test_cpu_time_of_images_before_is_not_charged_to_the_next():
    many_images = (
        "import time\n"
        "from gateway.codecs import limits\n"
        "limits._CPU_SECONDS_TO_BEGIN = 0.3\n"
        "for image in range(5):\n"
        "    limits.grant_cpu(0)\n"
        "    end = time.process_time() + 0.1\n"
        "    while time.process_time() < end: pass\n"
    )
    ended = subprocess.run([sys.executable, "-c", many_images], timeout=60, check=False)
    assert ended.returncode == 0


HOSTILE = {
    "claims 30000x30000": lambda good: good[:8] + b"\0\0\x75\x30\0\0\x75\x30" + good[16:],
    "is cut off": lambda good: good[: len(good) // 2],
    "is noise": lambda good: good[:100] + noise((len(good) - 100,), "u1").tobytes(),
    "is empty": lambda good: b"",
    "is text": lambda good: b"Once upon a time" * 20,
    "has tiles of one pixel": lambda good: good[:24] + b"\0\0\0\1\0\0\0\1" + good[32:],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_codestream_fails_and_the_process_goes_on(kind, pool, tmp_path):
    frames = noise((1, 64, 64), "u2", 12)
    good = bytes(imagecodecs.htj2k_encode(frames[0], reversible=True))
    source = tmp_path / "hostile.dcm"
    write_file(source, HTJ2K, header_of(frames), encapsulated([HOSTILE[kind](good)]))
    with pytest.raises((CodecFailed, TranscodeUnsupported)):
        pool.transcode(source, tmp_path / "never.dcm", [J2K], VERIFY)
    assert not (tmp_path / "never.dcm").exists()
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "next.dcm", [J2K], VERIFY)


def test_an_existing_target_is_kept(pool, tmp_path):
    target = tmp_path / "target.dcm"
    target.write_bytes(b"precious")
    with pytest.raises(CodecFailed, match="exists already"):
        pool.transcode(BUNDLED / "CT_small.dcm", target, [J2K], VERIFY)
    assert target.read_bytes() == b"precious"


def test_as_many_tasks_run_at_once_as_there_are_processes(make_pool, tmp_path):
    one_frame = np.tile(noise((1, 1024, 1024), "u2"), (1, 2, 2))  # several would be spread
    source = write_native(tmp_path / "large.dcm", one_frame)
    pool = make_pool(processes=2)
    first = _begin(pool, source, tmp_path / "1.dcm")
    [at_it] = wait_until(lambda: [each for each in pool.process_ids() if has_open([each], source)])
    os.kill(at_it, signal.SIGSTOP)
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "2.dcm", [J2K], VERIFY)
    assert not first.done()
    pool.close()
    with pytest.raises(CodecProcessDied):
        first.result(timeout=30)


def test_close_ends_the_processes_and_what_they_are_at(make_pool, slow_image, tmp_path):
    pool = make_pool()
    running = _begin(pool, slow_image, tmp_path / "1.dcm")
    process_ids = pool.process_ids()
    pool.close()
    with pytest.raises(CodecProcessDied):
        running.result(timeout=30)
    assert not any(is_running(process_id) for process_id in process_ids)
    assert not (tmp_path / "1.dcm").exists()
    with pytest.raises(CodecProcessDied, match="stopped"):
        pool.transcode(slow_image, tmp_path / "2.dcm", [J2K], VERIFY)


GATEWAY_WITH_CODECS = """
import sys, threading
from pathlib import Path
from gateway.codecs.processes import CodecPool
from gateway.model import TranscodeOptions
pool = CodecPool(processes=2, memory_mb=1024, timeout_s=60)
work = [Path(sys.argv[1]), Path(sys.argv[2]), ["1.2.840.10008.1.2.4.90"], TranscodeOptions()]
threading.Thread(target=pool.transcode, args=work, daemon=True).start()
print(*pool.process_ids(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_processes_end_when_the_gateway_is_killed(busy, slow_image, tmp_path):
    source = slow_image if busy else BUNDLED / "CT_small.dcm"
    target = tmp_path / "target.dcm"
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY_WITH_CODECS, source, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as gateway:
        process_ids = [int(word) for word in gateway.stdout.readline().split()]
        wait_until(lambda: has_open(process_ids, source) if busy else target.exists(), 30)
        assert len(process_ids) == 2
        gateway.kill()
    wait_until(lambda: not any(is_running(process_id) for process_id in process_ids), 30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_stop_the_gateway_do_not_stop_a_codec_process(number, make_pool, tmp_path):
    pool = make_pool()
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "1.dcm", [J2K], VERIFY)
    before = pool.process_ids()
    os.kill(before[0], number)
    pool.transcode(BUNDLED / "CT_small.dcm", tmp_path / "2.dcm", [J2K], VERIFY)
    assert pool.process_ids() == before


def test_the_gateway_itself_loads_no_codec():
    code = (
        "import sys, gateway.codecs.processes;"
        "import gateway.cli.transcode, gateway.codecs.batch, gateway.config.loader;"
        "assert not {'imagecodecs', 'numpy', 'openjpeg', 'pydicom'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif("GATEWAY_TEST_DATA" not in os.environ, reason="GATEWAY_TEST_DATA is not set")
def test_real_files_keep_their_samples(pool, tmp_path):
    for number, source in enumerate(sorted(Path(os.environ["GATEWAY_TEST_DATA"]).rglob("*.dcm"))):
        made = tmp_path / f"{number}.dcm"
        if _outcome(pool, source, made, J2K) != "ok" or "PixelData" not in dcmread(made):
            continue
        if not _reference_needs_peer(source):
            np.testing.assert_array_equal(samples_of(made), _reference(source))
