"""The committer: one transaction for what waits together, and an answer for every caller."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, insert, select, text
from store_support import make_index

from gateway.errors import StorageFull, StoreError
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.database import open_database
from gateway.store.files import RECEIVED, FileStorage, StagedFile, sync_file

ANSWER_S = 10.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    index = tmp_path / "index.sqlite"
    make_index(index)
    engine = open_database(index)
    yield engine
    engine.dispose()


@pytest.fixture
def files(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


@pytest.fixture
def committer(engine: Engine, files: FileStorage) -> Iterator[Committer]:
    committer = Committer(engine, files)
    yield committer
    committer.close()


def staged(files: FileStorage) -> StagedFile:
    file = files.stage(RECEIVED)
    with file.create() as out:
        out.write(b"content")
        sync_file(out)
    return file


def adds(name: str) -> Callable[..., str]:
    """A part of a transaction that enters a row."""

    def apply(connection) -> str:
        connection.execute(
            insert(schema.instance).values(
                instance_id=name, patient_id="", study_instance_uid="", series_instance_uid="",
                sop_instance_uid="", sop_class_uid="",
            )
        )  # fmt: skip
        return name

    return apply


def fails(problem: str = "no") -> Callable[..., None]:
    def apply(connection) -> None:
        raise StoreError(problem)

    return apply


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.scalars(select(schema.instance.c.instance_id)))


@contextmanager
def held(committer: Committer) -> Iterator[None]:
    """Within the block the committer is busy: what is submitted waits together."""
    busy, go_on = threading.Event(), threading.Event()

    def apply(connection) -> None:
        busy.set()
        assert go_on.wait(ANSWER_S)

    future = committer.submit(apply)
    assert busy.wait(ANSWER_S)
    try:
        yield
    finally:
        go_on.set()
        future.result(ANSWER_S)


@contextmanager
def full_index(engine: Engine) -> Iterator[None]:
    """Within the block the index cannot grow."""
    with engine.connect() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))

    def limit(dbapi_connection, _record) -> None:
        dbapi_connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


def test_a_caller_gets_what_its_part_answers(committer, engine):
    assert committer.commit(adds("a")) == "a"
    assert names(engine) == ["a"]


def test_what_waits_together_is_committed_together(committer, engine):
    commits = []
    with held(committer):
        futures = [committer.submit(adds(f"{n:02}")) for n in range(20)]
        event.listen(engine, "commit", commits.append)
    assert [future.result(ANSWER_S) for future in futures] == [f"{n:02}" for n in range(20)]
    assert len(commits) == 2  # that of the one who held the others up, and theirs


def test_a_file_is_in_its_place_when_the_answer_comes(committer, files):
    file = staged(files)
    committer.commit(adds("a"), [file])
    assert list(files.keys()) == [file.key]


def test_a_part_that_fails_is_told_and_leaves_no_row_and_no_file(
    committer, engine, files, tmp_path
):
    file = staged(files)

    def half(connection) -> None:
        adds("a")(connection)
        raise StoreError("changed my mind")

    with pytest.raises(StoreError, match="changed my mind"):
        committer.commit(half, [file])
    assert names(engine) == []
    assert list(files.keys()) == []
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_part_that_fails_harms_none_of_the_others(committer, engine, files):
    good = [staged(files) for _ in range(4)]
    bad = staged(files)
    with held(committer):
        before = [committer.submit(adds(f"b{n}"), [good[n]]) for n in range(2)]
        failing = committer.submit(fails("this one only"), [bad])
        after = [committer.submit(adds(f"c{n}"), [good[n + 2]]) for n in range(2)]
    assert [f.result(ANSWER_S) for f in before + after] == ["b0", "b1", "c0", "c1"]
    with pytest.raises(StoreError, match="this one only"):
        failing.result(ANSWER_S)
    assert names(engine) == ["b0", "b1", "c0", "c1"]
    assert set(files.keys()) == {file.key for file in good}


def test_a_file_that_cannot_be_published_fails_its_caller_only(committer, engine, files):
    good, bad = staged(files), staged(files)
    bad.discard()
    with held(committer):
        failing = committer.submit(adds("bad"), [bad])
        going = committer.submit(adds("good"), [good])
    assert going.result(ANSWER_S) == "good"
    with pytest.raises(StoreError):
        failing.result(ANSWER_S)
    assert names(engine) == ["good"]


def test_a_fault_of_ours_reaches_the_caller_and_the_committer_goes_on(committer):
    def faulty(connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        committer.commit(faulty)
    assert committer.commit(adds("a")) == "a"


def test_the_committer_goes_on_when_a_file_of_a_failure_cannot_be_removed(committer, files):
    """A device that turned read-only refuses the removal as well."""
    file = staged(files)
    # A folder in the file's place: it can neither be replaced nor unlinked.
    files.path(file.key).mkdir(parents=True)
    failing = committer.submit(adds("a"), [file])
    with pytest.raises(StoreError):
        failing.result(ANSWER_S)
    assert committer.submit(adds("b")).result(ANSWER_S) == "b"


def test_a_caller_that_no_longer_wants_its_answer_does_not_end_the_committer(committer, engine):
    with held(committer):
        committer.submit(adds("a")).cancel()
    assert committer.submit(adds("b")).result(ANSWER_S) == "b"


def test_an_index_without_room_is_storage_full_and_leaves_no_file(committer, engine, files):
    file = staged(files)

    def fill(connection) -> None:
        for n in range(2000):
            adds(f"{n:044}")(connection)

    with full_index(engine), pytest.raises(StorageFull, match="full"):
        committer.commit(fill, [file])
    assert list(files.keys()) == []
    assert names(engine) == []


def test_after_room_was_made_the_index_takes_rows_again(committer, engine):
    with full_index(engine), pytest.raises(StorageFull):
        committer.commit(lambda connection: [adds(f"{n:044}")(connection) for n in range(2000)])
    assert committer.commit(adds("a")) == "a"


def test_a_row_that_breaks_a_rule_of_the_index_is_a_store_error(committer):
    committer.commit(adds("a"))
    with pytest.raises(StoreError, match="UNIQUE"):
        committer.commit(adds("a"))


def test_more_than_one_batch_at_once_is_all_committed(committer, engine):
    count = Committer.MAXIMUM_BATCH * 2 + 10
    with held(committer):
        futures = [committer.submit(adds(f"{n:04}")) for n in range(count)]
    for future in futures:
        future.result(ANSWER_S)
    assert len(names(engine)) == count


def test_many_threads_all_get_their_own_answer(committer, engine):
    answers: dict[str, str] = {}

    def work(n: int) -> None:
        for k in range(25):
            name = f"{n}-{k}"
            answers[name] = committer.commit(adds(name))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {name: name for name in names(engine)}
    assert len(answers) == 200


def test_closing_commits_what_waits(engine, files):
    committer = Committer(engine, files)
    with held(committer):
        futures = [committer.submit(adds(str(n))) for n in range(5)]
        closing = threading.Thread(target=committer.close)
        closing.start()
    closing.join(ANSWER_S)
    assert [future.result(0) for future in futures] == list("01234")
    assert names(engine) == list("01234")


def test_closing_twice_is_no_error(engine, files):
    committer = Committer(engine, files)
    committer.close()
    committer.close()


def test_a_closed_committer_refuses_at_once_and_keeps_no_file(engine, files, tmp_path):
    committer = Committer(engine, files)
    committer.close()
    future: Future[str] = committer.submit(adds("late"), [staged(files)])
    with pytest.raises(StoreError, match="closed"):
        future.result(ANSWER_S)
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_read_sees_all_of_a_transaction_or_nothing(committer, engine):
    def pair(connection) -> None:
        adds("a")(connection)
        with engine.connect() as other:
            assert other.scalar(select(func.count()).select_from(schema.instance)) == 0
        adds("b")(connection)

    committer.commit(pair)
    assert names(engine) == ["a", "b"]
