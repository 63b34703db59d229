"""The index database: its schema, and connections that are safe to acknowledge on."""

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select, text

from gateway.store import schema
from gateway.store.database import MIGRATIONS, migrate, open_database, rebuilding, writer
from gateway.store.opened import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def engine(path):
    engine = open_database(path)
    yield engine
    engine.dispose()


def row(name: str) -> dict[str, str]:
    columns = ("patient_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid",
               "sop_class_uid")  # fmt: skip
    return {"instance_id": name} | dict.fromkeys(columns, "")


def count(engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(schema.instance)).all())


def test_the_migrations_make_the_schema(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.metadata) == []


def test_the_migrations_make_autoincrementing_keys(engine):
    """An id that is given again would let an old event or task speak of a new version."""
    with engine.connect() as connection:
        for table in ("version", "event", "task"):
            sql = connection.scalar(
                text("select sql from sqlite_master where name=:t"), {"t": table}
            )
            assert "AUTOINCREMENT" in sql, table


def test_migrating_again_changes_nothing(engine):
    migrate(engine)
    migrate(engine)
    assert count(engine) == 0


def task_row(task_id: int, action: str, parameters: dict[str, object]) -> dict[str, object]:
    texts = ("lane", "instance_id", "destination", "line", "error_kind", "error")
    numbers = ("event_id", "attempts", "run_at", "created_at")
    return {
        "task_id": task_id, "step": task_id, "action": action, "state": "waiting",
        "parameters": parameters, **dict.fromkeys(texts, ""), **dict.fromkeys(numbers, 0),
    }  # fmt: skip


def move_to(engine, revision: str, *, up: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with rebuilding(engine) as connection:
        config.attributes["connection"] = connection
        (command.upgrade if up else command.downgrade)(config, revision)


OLD = {"syntax": "1.2.840.10008.1.2.4.90", "replace": True, "on_failure": "keep"}
NEW = {"ladder": ["1.2.840.10008.1.2.4.90"], "replace": True, "on_failure": "keep"}


def test_transcodings_that_an_earlier_version_planned_are_carried_out(engine):
    """And those that this version planned, by the earlier one that somebody goes back to."""
    forward = {"calling_aet": "ME"}
    before = {1: OLD, 2: OLD | {"verify": False}, 3: forward}
    after = {1: NEW, 2: NEW | {"options": {"verify": False}}, 3: forward}

    def planned() -> dict[int, object]:
        with engine.connect() as connection:
            rows = connection.execute(select(schema.task.c.task_id, schema.task.c.parameters))
            return {row.task_id: row.parameters for row in rows}

    move_to(engine, "0001", up=False)
    with writer(engine).begin() as connection:
        for number, parameters in before.items():
            action = "forward" if parameters is forward else "transcode"
            connection.execute(insert(schema.task), task_row(number, action, parameters))
    move_to(engine, "head", up=True)
    assert planned() == after
    move_to(engine, "0001", up=False)
    assert planned() == before


def test_events_of_an_earlier_version_stay_and_their_numbers_go_on(engine):
    """Also when all rows are gone: the cursors of lanes must not be ahead of new events."""
    move_to(engine, "0005", up=False)
    with writer(engine).begin() as connection:
        connection.execute(text("INSERT INTO instance VALUES ('i', '', '', '', '', '')"))
        connection.execute(
            text(
                "INSERT INTO version (version_id, instance_id, state, transfer_syntax_uid,"
                " storage_key, size_bytes, content_sha256, created_at, origin_kind, calling_aet,"
                " called_aet, remote_ip, username)"
                " VALUES (7, 'i', 'current', '', 'k', 0, '', 0, 'Lua', '', '', '', '')"
            )
        )
        connection.execute(text("INSERT INTO event VALUES (41, 'OnStoredInstance', 7, 0)"))
        connection.execute(text("INSERT INTO event VALUES (42, 'OnStoredInstance', 7, 0)"))
        connection.execute(text("DELETE FROM event WHERE event_id = 42"))
        connection.execute(
            text("INSERT INTO lane VALUES ('a', 1, 1, NULL, '', '[]', 0, 0, '', '')")
        )
        connection.execute(
            text("INSERT INTO lane_event VALUES ('a', 41, 'parked', '', '', '', '', NULL)")
        )
    move_to(engine, "head", up=True)
    with writer(engine).begin() as connection:
        assert connection.execute(text("SELECT event_id, subject FROM event")).all() == [(41, "i")]
        assert connection.scalar(text("SELECT event_id FROM lane_event")) == 41
        connection.execute(
            insert(schema.event), {"kind": "OnJobSuccess", "subject": "j", "created_at": 0.0}
        )
        assert connection.scalar(text("SELECT max(event_id) FROM event")) == 43
    move_to(engine, "0005", up=False)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT event_id FROM event")).all() == [41]


def test_every_connection_is_safe_to_acknowledge_on(engine):
    """WAL with synchronous=FULL; several at once, so that the pool has to make new ones."""
    together = threading.Barrier(5)

    def look(_: int) -> tuple[object, ...]:
        with engine.connect() as connection:
            together.wait(10)
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            return tuple(connection.scalar(text(f"PRAGMA {name}")) for name in pragmas)

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(look, range(5))) == {("wal", 2, 1, 10_000)}


def test_a_writer_has_the_lock_from_the_start(engine):
    """Else two that have read first could each wait for the other to write."""
    with writer(engine).begin() as first:
        assert first.scalar(select(func.count()).select_from(schema.task)) == 0
        other = sqlite3.connect(engine.url.database, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_what_is_written_is_gone_when_the_block_raises(engine):
    def write_and_fail() -> None:
        with writer(engine).begin() as connection:
            connection.execute(insert(schema.instance), row("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert count(engine) == 0


def test_a_reader_sees_one_moment_and_waits_for_no_writer(engine):
    with engine.connect() as reader:
        before = reader.execute(select(schema.instance)).all()
        with writer(engine).begin() as connection:
            connection.execute(insert(schema.instance), row("a"))
        assert reader.execute(select(schema.instance)).all() == before == []
    assert count(engine) == 1


def test_a_folder_with_an_odd_name_is_fine(tmp_path):
    folder = tmp_path / "100% böse ?name#"
    store = open_store(folder)
    store.close()
    assert (folder / "index.sqlite").exists()
    assert {path.name for path in folder.iterdir()} == {
        "index.sqlite",
        "incoming",
        "files",
        "attachments",
    }


def write_rows(path: str, name: str, rows: int) -> None:
    engine = open_database(Path(path))
    for number in range(rows):
        with writer(engine).begin() as connection:
            connection.execute(insert(schema.instance), row(f"{name}-{number}"))
    engine.dispose()


def test_two_processes_that_write_at_once_wait_for_each_other(path):
    """The gateway, and `gateway queue retry` beside it; both also make the schema."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=write_rows, args=(str(path), name, 100)) for name in ("a", "b")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    engine = open_database(path)
    assert count(engine) == 200
    engine.dispose()
