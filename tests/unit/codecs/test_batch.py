"""Many files, with codecs that are not there: what appears, what is told, what is left behind."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import pytest

from gateway.codecs import batch as batch_module
from gateway.codecs.batch import Batch, Ending, Item, Outcome, failure, held
from gateway.codecs.tally import MOST_TROUBLES, Tally
from gateway.errors import CodecFailed, CodecProcessDied, FolderInUse, TranscodeUnsupported
from gateway.model import TranscodeOptions, TranscodeReport

DICOM = bytes(128) + b"DICM"
J2K = "1.2.840.10008.1.2.4.90"
PART = ".transcoding-0123456789abcdef0123456789abcdef.part"


def report(*, changed: bool = True, **changes) -> TranscodeReport:
    values = {
        "source_syntax_uid": "1.2.840.10008.1.2.1",
        "target_syntax_uid": J2K,
        "sop_instance_uid": "1.2.3",
        "source_bytes": 1000,
        "target_bytes": 400,
        "codec_seconds": 0.1,
        "verified_by": "another",
        "changed": changed,
    }
    return TranscodeReport(**{**values, **changes})


class FakeCodecs:
    """Makes a file of what was asked; `errors` and `unchanged` by the name of the source."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.unchanged: set[str] = set()
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = Lock()

    def transcode(self, source, target, ladder, options) -> TranscodeReport:
        with self.lock:
            self.asked.append(source.name)
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            assert not target.exists()
            if source.name in self.errors:
                raise self.errors[source.name]
            target.write_text(f"{source.name} as {ladder[0]}")
            return report(changed=source.name not in self.unchanged)
        finally:
            with self.lock:
                self.at_once -= 1


@pytest.fixture
def codecs() -> FakeCodecs:
    return FakeCodecs()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def planted(folder: Path, *names: str, content: bytes = DICOM) -> list[Item]:
    for name in names:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(content)
    return [Item(folder / "in" / name, folder / "out" / name, is_named=False) for name in names]


def run(codecs, items, *, threads: int = 2, at_once: int = 4, **options) -> dict[str, Outcome]:
    outcomes: list[Outcome] = []
    batch = Batch(codecs, [J2K], TranscodeOptions(), outcomes.append, **options)
    with ThreadPoolExecutor(threads) as executor:
        batch.run(items, executor, at_once)
    return {outcome.source.name: outcome for outcome in outcomes}


def endings(outcomes: dict[str, Outcome]) -> dict[str, Ending]:
    return {name: outcome.ending for name, outcome in outcomes.items()}


def test_every_file_is_made_under_its_name_and_nothing_else_is_left(codecs, folder):
    items = planted(folder, "1", "a/2", "a/b/3")
    outcomes = run(codecs, items)
    assert endings(outcomes) == dict.fromkeys(("1", "2", "3"), Ending.MADE)
    assert sorted(str(p.relative_to(folder)) for p in (folder / "out").rglob("*")) == [
        "out/1", "out/a", "out/a/2", "out/a/b", "out/a/b/3"
    ]  # fmt: skip
    assert (folder / "out/a/2").read_text() == f"2 as {J2K}"


def test_a_target_that_is_there_is_not_made_again(codecs, folder):
    items = planted(folder, "1", "2")
    run(codecs, items[:1])
    assert endings(run(codecs, items)) == {"1": Ending.THERE, "2": Ending.MADE}
    assert codecs.asked == ["1", "2"]


def test_a_target_that_is_there_is_replaced_when_that_is_wanted(codecs, folder):
    [item] = planted(folder, "1")
    item.target.parent.mkdir()
    item.target.write_text("old")
    assert endings(run(codecs, [item], overwrite=True)) == {"1": Ending.MADE}
    assert item.target.read_text() == f"1 as {J2K}"


def test_a_target_that_is_to_be_replaced_stays_when_transcoding_fails(codecs, folder):
    [item] = planted(folder, "1")
    item.target.parent.mkdir()
    item.target.write_text("old")
    codecs.errors["1"] = CodecFailed("no")
    assert endings(run(codecs, [item], overwrite=True)) == {"1": Ending.FAILED}
    assert item.target.read_text() == "old"


def test_what_fails_is_told_with_its_kind_and_reason_and_leaves_nothing(codecs, folder):
    codecs.errors["1"] = TranscodeUnsupported("samples of 1 bit are never compressed")
    outcomes = run(codecs, planted(folder, "1", "2"))
    assert endings(outcomes) == {"1": Ending.FAILED, "2": Ending.MADE}
    assert outcomes["1"].error_kind == "transcode-unsupported"
    assert outcomes["1"].error == "samples of 1 bit are never compressed"
    assert [path.name for path in (folder / "out").iterdir()] == ["2"]


def test_what_fails_is_kept_byte_for_byte_when_that_is_wanted(codecs, folder):
    codecs.errors["1"] = CodecFailed("the codestream is cut off")
    [item] = planted(folder, "1", content=DICOM + b"rest")
    outcomes = run(codecs, [item], keep=True)
    assert endings(outcomes) == {"1": Ending.KEPT}
    assert outcomes["1"].error == "the codestream is cut off"
    assert item.target.read_bytes() == DICOM + b"rest"
    assert [path.name for path in (folder / "out").iterdir()] == ["1"]


def test_what_needs_no_transcoding_is_told_apart(codecs, folder):
    codecs.unchanged.add("1")
    assert endings(run(codecs, planted(folder, "1", "2"))) == {
        "1": Ending.UNCHANGED,
        "2": Ending.MADE,
    }


@pytest.mark.parametrize("content", [b"", b"short", bytes(200)])
def test_what_is_not_dicom_is_left_out_when_found_and_fails_when_named(codecs, folder, content):
    [found] = planted(folder, "1", content=content)
    named = Item(found.source, found.target, is_named=True)
    assert endings(run(codecs, [found])) == {"1": Ending.NOT_DICOM}
    assert endings(run(codecs, [named], keep=True)) == {"1": Ending.FAILED}
    assert codecs.asked == []
    assert not (folder / "out").exists()


def test_a_named_pipe_does_not_hold_the_run(codecs, folder):
    os.mkfifo(folder / "pipe")
    [outcome] = run(codecs, [Item(folder / "pipe", folder / "out/pipe", is_named=True)]).values()
    assert outcome.ending is Ending.FAILED


def test_a_file_that_has_gone_fails_alone(codecs, folder):
    items = planted(folder, "1", "2")
    items[0].source.unlink()
    outcomes = run(codecs, items)
    assert endings(outcomes) == {"1": Ending.FAILED, "2": Ending.MADE}
    assert (outcomes["1"].error_kind, outcomes["1"].error) == (
        "system",
        "No such file or directory",
    )


def test_a_target_folder_that_cannot_be_made_is_named(codecs, folder):
    [item] = planted(folder, "a/1")
    (folder / "out").mkdir()
    (folder / "out/a").write_text("a file")
    [outcome] = run(codecs, [item]).values()
    assert outcome.error == f"{folder / 'out/a'}: File exists"


def test_a_full_disk_is_told_and_leaves_no_part(codecs, folder, monkeypatch):
    codecs.errors["1"] = CodecFailed("no")

    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(batch_module, "_copy", full)
    outcomes = run(codecs, planted(folder, "1"), keep=True)
    assert endings(outcomes) == {"1": Ending.FAILED}
    assert outcomes["1"].error.endswith("No space left on device")
    assert list((folder / "out").iterdir()) == []


def test_parts_that_a_killed_run_left_are_removed_and_nothing_else(codecs, folder):
    items = planted(folder, "1", "a/2")
    others = (".transcoding", ".transcoding-1.part", "1.part", ".hidden")
    for sub in (folder / "out", folder / "out/a"):
        sub.mkdir()
        for name in (PART, *others):
            (sub / name).touch()
        (sub / f"{PART}.work").mkdir()
        (sub / f"{PART}.work/plain").touch()
    run(codecs, items)
    for sub in (folder / "out", folder / "out/a"):
        left = {path.name for path in sub.iterdir()}
        assert left - {"1", "2", "a"} == set(others)


def test_items_are_taken_as_they_are_needed(codecs, folder):
    items = planted(folder, *map(str, range(20)))
    done: list[Outcome] = []
    ahead = 0

    def counted() -> Iterator[Item]:
        nonlocal ahead
        for taken, item in enumerate(items):
            ahead = max(ahead, taken - len(done))
            yield item

    batch = Batch(codecs, [J2K], TranscodeOptions(), done.append)
    with ThreadPoolExecutor(3) as executor:
        batch.run(counted(), executor, at_once=4)
    assert len(done) == 20
    assert ahead < 4
    assert codecs.most_at_once <= 3


class StuckCodecs(FakeCodecs):
    """Transcodes until it is closed, and fails then, as codec processes that are ended do."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.closed = Event(), Event()

    def transcode(self, source, target, ladder, options) -> TranscodeReport:
        target.write_text("half")
        self.asked.append(source.name)
        self.begun.set()
        assert self.closed.wait(30)
        raise CodecProcessDied("the codec processes are stopped")


@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_run_leaves_nothing_half_made_and_blames_no_file(folder, keep):
    items = planted(folder, *map(str, range(6)))
    codecs = StuckCodecs()
    told: list[Outcome] = []

    def interrupted() -> Iterator[Item]:
        yield from items[:4]
        assert codecs.begun.wait(30)
        raise KeyboardInterrupt

    batch = Batch(codecs, [J2K], TranscodeOptions(), told.append, keep=keep)
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(KeyboardInterrupt):
            batch.run(interrupted(), executor, at_once=8)
        codecs.closed.set()
    assert told == []
    assert list((folder / "out").iterdir()) == []
    assert len(codecs.asked) <= 2


def test_a_report_that_cannot_be_written_ends_the_run(codecs, folder):
    def full(outcome):
        raise OSError(errno.ENOSPC, "No space left on device")

    batch = Batch(codecs, [J2K], TranscodeOptions(), full)
    with ThreadPoolExecutor(1) as executor, pytest.raises(OSError, match="No space"):
        batch.run(planted(folder, *map(str, range(50))), executor, at_once=2)
    assert len(codecs.asked) < 5


def test_only_one_run_writes_to_a_folder(tmp_path):
    out = tmp_path / "a" / "out"
    with held(out):
        assert out.is_dir()
        with pytest.raises(FolderInUse, match="writes to"), held(out):
            pass
    with held(out):
        assert list(out.iterdir()) == []


class TestTally:
    def made(self, **changes) -> Outcome:
        return Outcome(Path("1"), Path("out/1"), Ending.MADE, report(**changes))

    def test_files_and_bytes_are_added_up_for_each_syntax(self):
        tally = Tally()
        tally.add(self.made(native_bytes=2000))
        tally.add(self.made(native_bytes=3000, source_bytes=3000, target_bytes=1600))
        tally.add(self.made(target_syntax_uid="1.2.840.10008.1.2.1"))
        assert tally.files == 3
        assert tally.native_bytes == 5000
        assert (tally.made[J2K].files, tally.made[J2K].ratio) == (2, 2.0)
        assert tally.made["1.2.840.10008.1.2.1"].files == 1

    def test_the_worst_measures_are_kept(self):
        tally = Tally()
        for psnr_db, max_error in ((60.0, 3), (52.5, 9), (None, 0), (70.0, 1)):
            tally.add(self.made(lossy=True, psnr_db=psnr_db, max_error=max_error))
        assert tally.made[J2K].lowest_psnr_db == 52.5
        assert tally.made[J2K].largest_error == 9

    def test_nothing_measured_is_nothing_told(self):
        tally = Tally()
        tally.add(self.made())
        assert tally.made[J2K].lowest_psnr_db is None
        assert tally.made[J2K].largest_error is None

    def test_what_was_passed_on_is_not_counted_as_made(self):
        tally = Tally()
        tally.add(Outcome(Path("1"), Path("2"), Ending.UNCHANGED, report(changed=False)))
        assert tally.made == {}
        assert tally.endings[Ending.UNCHANGED] == 1

    def test_the_first_failures_are_remembered_and_all_are_counted(self):
        tally = Tally()
        for number in range(MOST_TROUBLES + 5):
            tally.add(failure(Path(str(number)), None, CodecFailed("no")))
        assert tally.endings[Ending.FAILED] == MOST_TROUBLES + 5
        assert len(tally.troubles) == MOST_TROUBLES
