"""What `gateway transcode` tells: a line for each file in its report, and a summary."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import Column, counted, print_table
from gateway.codecs.batch import Ending, Outcome
from gateway.codecs.tally import Sum, Tally
from gateway.dicom import syntaxes

_MEGABYTE = 1_000_000
_SUM_COLUMNS: tuple[Column[tuple[str, Sum]], ...] = (
    Column("made", lambda row: syntaxes.label(row[0])),
    Column("files", lambda row: row[1].files, is_number=True),
    Column("bytes before", lambda row: f"{row[1].bytes_before:,}", is_number=True),
    Column("bytes after", lambda row: f"{row[1].bytes_after:,}", is_number=True),
    Column("ratio", lambda row: f"{row[1].ratio:.2f}", is_number=True),
)
_MEASURED_COLUMNS: tuple[Column[tuple[str, Sum]], ...] = (
    Column("lowest PSNR", lambda row: _decibels(row[1].lowest_psnr_db), is_number=True),
    Column("largest error", lambda row: _or_nothing(row[1].largest_error), is_number=True),
)
_TROUBLE_COLUMNS: tuple[Column[Outcome], ...] = (
    Column("file", lambda outcome: outcome.source),
    Column("", lambda outcome: outcome.ending),
    Column("reason", lambda outcome: outcome.error),
)
_ENDINGS = {
    Ending.THERE: "there already",
    Ending.UNCHANGED: "passed on unchanged",
    Ending.NOT_DICOM: "left out: not DICOM",
    Ending.KEPT: "kept as received: could not be transcoded",
    Ending.FAILED: "failed",
}


def print_summary(tally: Tally, seconds: float) -> None:
    """Sums per transfer syntax, the other endings, the first failures, and the speed."""
    if tally.made:
        measured = any(total.largest_error is not None for total in tally.made.values())
        columns = _SUM_COLUMNS + (_MEASURED_COLUMNS if measured else ())
        print_table(list(tally.made.items()), columns)
    for ending, text in _ENDINGS.items():
        if files := tally.endings[ending]:
            typer.echo(f"{counted(files, 'file')} {text}")
    if tally.troubles:
        print_table(sorted(tally.troubles, key=lambda each: each.source), _TROUBLE_COLUMNS)
    if (more := tally.endings[Ending.FAILED] + tally.endings[Ending.KEPT]) > len(tally.troubles):
        typer.echo(f"... and {more - len(tally.troubles)} more: --report FILE lists them all")
    typer.echo(f"{counted(tally.files, 'file')} in {seconds:.1f} s{_speed(tally, seconds)}")


def as_object(tally: Tally, seconds: float) -> dict[str, Any]:
    """The summary for programs."""
    return {
        "files": tally.files,
        "seconds": round(seconds, 3),
        "native_bytes": tally.native_bytes,
        "made": [
            {"syntax": syntaxes.label(uid), "syntax_uid": uid, "ratio": round(each.ratio, 3)}
            | asdict(each)
            for uid, each in tally.made.items()
        ],
        "endings": {ending.value: tally.endings[ending] for ending in Ending},
        "first_failures": [_line(outcome) for outcome in tally.troubles],
    }


@contextmanager
def opened_report(path: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """A new JSON Lines file, to be told every outcome; nothing without a path. Raises OSError."""
    if path is None:
        yield lambda outcome: None
        return
    with path.open("w", encoding="ascii") as file:
        yield lambda outcome: print(json.dumps(_line(outcome)), file=file, flush=True)


def _line(outcome: Outcome) -> dict[str, Any]:
    """One outcome as an object. Identifiers and measures only: no value of the data set."""
    line: dict[str, Any] = {
        "file": str(outcome.source),
        "target": str(outcome.target) if outcome.target else None,
        "ending": outcome.ending,
    }
    if outcome.error:
        line |= {"error_kind": outcome.error_kind, "error": outcome.error}
    return line | (asdict(outcome.report) if outcome.report else {})


def _speed(tally: Tally, seconds: float) -> str:
    if not tally.native_bytes:
        return ""
    return f": {tally.native_bytes / _MEGABYTE / seconds:.1f} MB of raw pixels a second"


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} dB"


def _or_nothing(value: int | None) -> str:
    return "" if value is None else str(value)
