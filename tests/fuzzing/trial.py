"""Put a hostile file through real codec processes, and judge what the gateway has promised.

A file that is damaged may fail, in any of the ways that transcoding can; it may also be made, when
a decoder finds samples in it. What is promised: the gateway's process gets a typed error, in time;
a result is whole and proven, or not there; nothing else is left; the next file works.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from codec_support import DEFLATED, EXPLICIT, HTJ2K, IMPLICIT, J2K, JPEG_BASELINE, JPEG_LS, RLE
from pydicom import dcmread

from fuzzing.mutations import hostile_file
from gateway.codecs.processes import SCRATCH_SUFFIX, CodecPool
from gateway.errors import CodecTimedOut, TranscodeError
from gateway.model import TranscodeOptions, TranscodeReport

_J = "1.2.840.10008.1.2.4."
_RECOMPRESSED = _J + "111"
_TARGETS = (
    *(J2K, RLE, HTJ2K, JPEG_LS, DEFLATED, IMPLICIT, JPEG_BASELINE),
    *(_J + ending for ending in ("51", "57", "70", "81", "91", "110", "112", "203")),
)
# From codestream to codestream: other code than that of decoders reads them.
_CONVERTED = {
    "jpeg-grey": _RECOMPRESSED,
    "jpeg-colour": _RECOMPRESSED,
    "jpegxl-jpeg": JPEG_BASELINE,
}
MADE, COPIED = "made", "copied"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile file, the same each time."""

    kind: str
    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}:{self.number}"

    def file(self) -> bytes:
        return hostile_file(self.kind, Random(str(self)))

    def target(self) -> str:
        """The transfer syntax that it is to become."""
        random = Random(f"target {self}")
        if self.kind in _CONVERTED and random.random() < 0.3:
            return _CONVERTED[self.kind]
        # What is in that syntax already is only copied.
        needs_another = self.kind == "native" or random.random() < 0.2
        return random.choice(_TARGETS) if needs_another else EXPLICIT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. ending: made, copied, or the kind of the error, whose text is the
    message. broken: promises that were not kept.
    """

    ending: str
    message: str = ""
    seconds: float = 0.0
    broken: tuple[str, ...] = ()


@dataclass(slots=True)
class Peak:
    """The most that any codec process used, and might have: megabytes."""

    resident_mb: float = 0.0
    mapped_mb: float = 0.0
    limit_mb: float = 0.0

    def look(self, process_id: int) -> None:
        """A process that is ending has nothing to see any more."""
        with suppress(OSError, ValueError, KeyError):
            lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines)
            self.resident_mb = max(self.resident_mb, int(status["VmHWM"].split()[0]) / 1024)
            mapped_mb = int(status["VmPeak"].split()[0]) / 1024
            if mapped_mb > self.mapped_mb:
                self.mapped_mb, self.limit_mb = mapped_mb, _limit_mb(process_id)


def _limit_mb(process_id: int) -> float:
    lines = Path(f"/proc/{process_id}/limits").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("Max address space")]
    return int(line.split()[3]) / (1 << 20)


@dataclass(slots=True)
class Trial:
    """Files through one pool, in a folder where nothing else happens. limit_s: of one file."""

    pool: CodecPool
    folder: Path
    limit_s: float
    peak: Peak = field(default_factory=Peak)

    def judge(self, name: str, data: bytes, target_uid: str = EXPLICIT) -> Outcome:
        """Transcode one file. name: of files in the folder, of nobody else's."""
        source, target = self.folder / f"{name}.dcm", self.folder / f"{name}.out"
        source.write_bytes(data)
        started = time.monotonic()
        try:
            report = self.pool.transcode(source, target, [target_uid], TranscodeOptions())
        except Exception as error:  # noqa: BLE001
            outcome = _failed(error)
        else:
            broken = tuple(_faults(source, target, report))
            outcome = Outcome(MADE if report.changed else COPIED, "", 0.0, broken)
            target.unlink(missing_ok=True)
        seconds = time.monotonic() - started
        for process_id in self.pool.process_ids():
            self.peak.look(process_id)
        broken = (*outcome.broken, *self._left(target, seconds))
        if _tells_of_the_patient(outcome.message):
            broken = (*broken, "the message tells of the patient")
        source.unlink()
        return Outcome(outcome.ending, outcome.message, seconds, broken)

    def _left(self, target: Path, seconds: float) -> Iterator[str]:
        if target.exists():
            yield "something is at the target although it failed"
        if target.with_name(target.name + SCRATCH_SUFFIX).exists():
            yield "the scratch folder is left"
        if seconds > self.limit_s:
            yield f"it took {seconds:.1f} s"
        if self.peak.mapped_mb > self.peak.limit_mb:
            yield f"a process has mapped {self.peak.mapped_mb:.0f} MB"


def _failed(error: Exception) -> Outcome:
    if isinstance(error, CodecTimedOut):
        return Outcome(error.kind, str(error), broken=("no limit but the clock ended it",))
    if isinstance(error, TranscodeError):
        return Outcome(error.kind, str(error))
    return Outcome("fault", repr(error), broken=(f"the caller got {error!r}",))


def _tells_of_the_patient(message: str) -> bool:
    """Whether it quotes a part of the patient's name, as it is in every subject."""
    return any(part in message for part in ("ller^", "^J", "\\xbcller"))


def _faults(source: Path, target: Path, report: TranscodeReport) -> Iterator[str]:
    """What is wrong with a result."""
    if report.target_bytes != target.stat().st_size:
        yield "the report has another size than the file"
    if not report.changed:
        if target.read_bytes() != source.read_bytes():
            yield "the copy differs"
        return
    try:
        made = dcmread(target)
        length = len(made.get("PixelData") or b"")
    except Exception as error:  # noqa: BLE001
        yield f"the result cannot be read: {error!r}"
        return
    if made.file_meta.TransferSyntaxUID != report.target_syntax_uid:
        yield "the result is in another transfer syntax"
    if not report.lossy and not report.verified_by and report.frames:
        yield "nobody has verified a lossless result"
    expected = report.native_bytes + report.native_bytes % 2
    if report.target_syntax_uid == EXPLICIT and report.frames and length != expected:
        yield f"{length} bytes of pixels instead of {expected}"


def outcomes(
    trial: Trial, cases: Iterable[Case], *, at_once: int
) -> Iterator[tuple[Case, Outcome]]:
    """Judge cases, so many at once, as they are done."""
    running: dict[Future[Outcome], Case] = {}
    with ThreadPoolExecutor(at_once) as executor:
        for case in cases:
            name = str(case).replace(":", "-")
            future = executor.submit(lambda c=case, n=name: trial.judge(n, c.file(), c.target()))
            running[future] = case
            if len(running) >= 4 * at_once:
                yield from _done(running)
        while running:
            yield from _done(running)


def _done(running: dict[Future[Outcome], Case]) -> Iterator[tuple[Case, Outcome]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Check that no file, process or descriptor is left of what happens in the block."""
    before, others = _open_files(), _children()
    yield
    left = sorted(path.name for path in folder.iterdir())
    assert not left, f"files are left: {left[:5]}"
    assert _children() <= others, f"processes are left: {_children() - others}"
    assert _open_files() <= before, "descriptors are left open"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> set[str]:
    return {
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    }
