"""SELECTs that are run thousands of times a second.

SQLAlchemy takes ten times as long as SQLite to run a small one and to make its rows. It writes the
statement, once, and knows how to convert values; the driver does the rest.
"""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, Select


class Prepared:
    """One statement on one database. Thread-safe; each read is of its own moment."""

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        compiled = statement.compile(engine)
        self._engine = engine
        self._sql = str(compiled)
        self._fixed = compiled.params
        self._order = compiled.positiontup  # None when the driver takes parameters by name
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
        given = {**self._fixed, **parameters}
        ordered = given if self._order is None else [given[name] for name in self._order]
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(self._sql, ordered)
            found = cursor.fetchone()
            cursor.close()
        finally:
            connection.close()  # back into the pool
        return None if found is None else self._converted(list(found))

    def _converted(self, values: list[Any]) -> Any:
        for place, convert in self._converters:
            values[place] = convert(values[place])
        return self._make_row(values)


def _converter(kind: Any, engine: Engine) -> Any:
    return kind.dialect_impl(engine.dialect).result_processor(engine.dialect, None)
