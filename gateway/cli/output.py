"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import typer

Row = TypeVar("Row")

# Without a terminal there is no edge to fit the table to, and whoever filters it wants whole lines.
_WIDTH_WITHOUT_TERMINAL = 1000


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table: its title and the text of a row in it."""

    title: str
    text: Callable[[Row], object]
    is_number: bool = False


def print_table(rows: Sequence[Row], columns: Sequence[Column[Row]]) -> None:
    """A table on standard output, as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_WIDTH_WITHOUT_TERMINAL)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.title, justify="right" if column.is_number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(_one_line(column.text(row)) for column in columns))
    console.print(table)


def _one_line(value: object) -> str:
    """Text from peers and scripts, in one line and without codes for the terminal."""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    text = " ".join(str(value).split())
    return "".join(char if char.isprintable() else "?" for char in text)


def print_json(content: Any) -> None:
    """JSON on standard output."""
    typer.echo(json.dumps(content, indent=2, default=_json_value))


def as_objects(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Frozen records as JSON objects, field by field."""
    return [asdict(row) for row in rows]


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def counted(number: int, noun: str) -> str:
    """'1 task', '2 tasks'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar on standard error while the block runs, if that is a terminal; to be told each step.

    total: None when nobody knows yet; then steps are counted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)
