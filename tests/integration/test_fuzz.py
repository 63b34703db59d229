"""A short run of the fuzzing, with what once broke a promise; the long one is `make fuzz`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from codec_support import EXPLICIT, J2K
from fuzzing.mutations import good_file
from fuzzing.subjects import KINDS, subjects
from fuzzing.trial import COPIED, MADE, Case, Trial, nothing_left, outcomes

from gateway.codecs.processes import SCRATCH_SUFFIX, CodecPool
from gateway.errors import CodecFailed, CodecProcessDied, CodecTimedOut
from gateway.model import TranscodeReport

# pydicom warns about results that are as odd as their sources.
pytestmark = pytest.mark.filterwarnings("ignore")

SEED = 2026
FILES = 40
LARGE_FILES = 2
ONCE_BROKE_A_PROMISE = sorted((Path(__file__).parents[1] / "fuzz_seeds").iterdir())


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("fuzz")
    with nothing_left(folder):
        pool = CodecPool(processes=2, memory_mb=1024, timeout_s=60)
        try:
            yield Trial(pool, folder, limit_s=30)
        finally:
            pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_mutated_is_good(kind: str, trial: Trial):
    target_uid = J2K if kind == "native" else EXPLICIT
    for number, subject in enumerate(subjects(kind)):
        outcome = trial.judge(f"{kind}-{number}", good_file(subject), target_uid)
        one_bit = "1 bit" in outcome.message
        assert one_bit or (outcome.ending, outcome.broken) == (MADE, ()), outcome


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_break_no_promise(kind: str, trial: Trial):
    count = LARGE_FILES if kind == "large" else FILES
    cases = [Case(kind, SEED, number) for number in range(count)]
    endings: Counter[str] = Counter()
    for case, outcome in outcomes(trial, cases, at_once=2):
        assert not outcome.broken, f"{case}: {outcome}"
        assert outcome.ending != CodecProcessDied.kind, f"{case}: {outcome}"
        endings[outcome.ending] += 1
    assert endings.total() == count
    # Else they would all fail at the first check, or none would be damaged.
    failed = endings.total() - endings[MADE] - endings[COPIED]
    assert kind == "large" or (endings[MADE] and failed)


@pytest.mark.parametrize("path", ONCE_BROKE_A_PROMISE, ids=lambda path: path.stem)
def test_what_once_broke_a_promise_does_not_any_more(path: Path, trial: Trial):
    process_ids = trial.pool.process_ids()
    outcome = trial.judge(path.stem, path.read_bytes())
    assert not outcome.broken
    assert trial.pool.process_ids() == process_ids


def test_a_case_is_the_same_each_time():
    for kind in KINDS:
        assert Case(kind, SEED, 7).file() == Case(kind, SEED, 7).file()
        assert Case(kind, SEED, 7).file() != Case(kind, SEED + 1, 7).file()


# --- what judges them is judged too --------------------------------------------------------------


class Broken:
    """Codecs that break a promise."""

    def __init__(self, error: Exception | None, *, at_target: bytes = b"", left: str = "") -> None:
        self._error = error
        self._at_target = at_target
        self._left = left

    def transcode(self, source: Path, target: Path, *_: object) -> TranscodeReport:
        if self._at_target:
            target.write_bytes(self._at_target)
        if self._left:
            target.with_name(target.name + self._left).mkdir()
        if self._error:
            raise self._error
        return TranscodeReport(J2K, EXPLICIT, "1.2.3", 1, len(self._at_target), 0.1, "", True)

    def process_ids(self) -> list[int]:
        return []


@pytest.mark.parametrize(
    ("codecs", "broken"),
    [
        (Broken(CodecFailed("no")), ""),
        (Broken(CodecFailed("no"), at_target=b"half"), "something is at the target"),
        (Broken(CodecFailed("no"), left=SCRATCH_SUFFIX), "scratch folder is left"),
        (Broken(CodecFailed("cannot read 'Müller^Jörg'")), "tells of the patient"),
        (Broken(CodecTimedOut("not done after 60 s")), "no limit but the clock"),
        (Broken(EOFError()), "the caller got EOFError"),
        (Broken(None, at_target=b"half of a file"), "cannot be read"),
    ],
)
def test_a_broken_promise_is_seen(codecs, broken, tmp_path):
    outcome = Trial(codecs, tmp_path, limit_s=30).judge("file", b"any")
    assert broken in "; ".join(outcome.broken)
    assert bool(broken) == bool(outcome.broken)


def test_a_process_that_crashed_is_told_of(tmp_path):
    codecs = Broken(CodecProcessDied("the codec process crashed (SIGSEGV)"))
    outcome = Trial(codecs, tmp_path, limit_s=30).judge("file", b"any")
    assert (outcome.ending, outcome.broken) == (CodecProcessDied.kind, ())
    assert "SIGSEGV" in outcome.message
