"""The index database: connections that are safe to acknowledge on, and its migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect

from gateway.errors import StoreError

MIGRATIONS = Path(__file__).with_name("migrations")
# How long a writer waits for another process (`gateway queue retry`) to end its transaction.
BUSY_TIMEOUT_MS = 10_000
# Kept ready by each connection, at some 10 kB: 45 are nearly all that is ever asked, the others are
# lists of so many ids, no two of a length.
_STATEMENTS = 64


def open_database(path: Path) -> Engine:
    """An engine for the SQLite file at `path`, made if it does not exist, migrated to the newest.

    A commit on it survives a power cut (WAL with synchronous=FULL). Write through `writer()`;
    `Engine.connect()` reads a snapshot and waits for nobody.
    """
    url = URL.create("sqlite", database=str(path))  # a path may hold what means something in a URL
    # The connection used last comes first: in turn, each would come to hold all that is held.
    engine = create_engine(
        url,
        pool_size=64,
        max_overflow=-1,
        pool_use_lifo=True,
        connect_args={"cached_statements": _STATEMENTS},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    if _revision(engine) == _newest_revision():
        return  # and nothing is checked: of a large index that takes long
    # To import Alembic takes longer than most commands do, and it is needed once for a version.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with rebuilding(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(engine: Engine) -> str | None:
    """Of the schema as it is; None for a new database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


@cache
def _newest_revision() -> str:
    """Revisions are called as their files begin, and one follows the other."""
    return max(path.name for path in MIGRATIONS.glob("versions/[0-9]*.py")).partition("_")[0]


@contextmanager
def rebuilding(engine: Engine) -> Iterator[Connection]:
    """A transaction in which a table may be put in the place of another that rows refer to.

    SQLite changes most things about a table only so (sqlite.org/lang_altertable.html, section 7).
    """
    with writer(engine).connect() as connection:
        connection.connection.execute("PRAGMA foreign_keys=OFF")  # has no effect once it has begun
        try:
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise StoreError(f"rows refer to nothing after a migration: {broken[:3]}")
        finally:
            connection.connection.execute("PRAGMA foreign_keys=ON")


def writer(engine: Engine) -> Engine:
    """The same database, with transactions that hold the write lock from their start.

    Keep it: making one costs as much as a transaction.
    """
    return engine.execution_options(gateway_writes=True)


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    # The driver's own transaction handling begins too late and commits too early: ours instead.
    dbapi_connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("gateway_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
