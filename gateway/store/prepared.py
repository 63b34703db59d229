"""SELECTs that are run thousands of times a second.

SQLAlchemy takes ten times as long as SQLite to run a small one and to make its rows. It writes the
statement, once, and knows how to convert values; the driver does the rest.
"""

from collections import namedtuple
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, SelectBase


@contextmanager
def snapshot(engine: Engine) -> Iterator[Any]:
    """A cursor of the driver: all that is read with it is of one moment."""
    with _cursor(engine) as cursor:
        cursor.execute("BEGIN")
        yield cursor


@contextmanager
def _cursor(engine: Engine) -> Iterator[Any]:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        yield cursor
        cursor.close()
    finally:
        connection.close()  # back into the pool, which ends what it has begun


class Prepared:
    """One statement on one database. Thread-safe."""

    def __init__(self, engine: Engine, statement: SelectBase) -> None:
        """A list of values has to be in the statement: it is written out, one by one."""
        compiled = statement.compile(engine)
        written_out = compiled.construct_expanded_state(compiled.params)
        self._engine = engine
        self._sql = written_out.statement
        self._fixed = written_out.parameters
        self._order = written_out.positiontup  # None when the driver takes parameters by name
        columns = statement.selected_columns
        row = namedtuple("Row", columns.keys())  # type: ignore[misc]  # only known now
        self._make_row = row._make
        self._converters = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _converter(column.type, engine)) is not None
        ]

    def first(self, parameters: Mapping[str, Any]) -> Any:
        """The first row, with a field for each column; None when there is none."""
        with _cursor(self._engine) as cursor:
            cursor.execute(self._sql, self._ordered(parameters))
            found = cursor.fetchone()
        return None if found is None else self._converted(found)

    def all(self, cursor: Any, parameters: Mapping[str, Any]) -> list[Any]:
        """All rows, read with the cursor of a snapshot."""
        cursor.execute(self._sql, self._ordered(parameters))
        return [self._converted(row) for row in cursor.fetchall()]

    def _ordered(self, parameters: Mapping[str, Any]) -> Any:
        given = {**self._fixed, **parameters}
        return given if self._order is None else [given[name] for name in self._order]

    def _converted(self, row: Any) -> Any:
        values = list(row)
        for place, convert in self._converters:
            values[place] = convert(values[place])
        return self._make_row(values)


def _converter(kind: Any, engine: Engine) -> Any:
    return kind.dialect_impl(engine.dialect).result_processor(engine.dialect, None)
