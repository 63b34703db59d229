"""A short run of the fuzzing, with what once broke a promise; the long one is `make fuzz`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from codec_support import EXPLICIT, J2K
from fuzzing.mutations import good_file
from fuzzing.subjects import KINDS, subjects
from fuzzing.trial import COPIED, MADE, Case, Trial, nothing_left, outcomes

from gateway.codecs.processes import CodecPool
from gateway.errors import CodecProcessDied

# pydicom warns about results that are as odd as their sources.
pytestmark = pytest.mark.filterwarnings("ignore")

SEED = 2026
FILES = 60
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
