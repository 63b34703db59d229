"""The outcome: a table on the terminal, and JSON and Markdown in a folder."""

import json
import platform
import shlex
import sqlite3
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from images import PIXEL_BYTES
from machine import first_line, machine
from rich.table import Table
from servers import Orthanc
from workloads import Run, Workload

_PACKAGES = ("pynetdicom", "pydicom", "lupa", "sqlalchemy")
_COLUMNS = ("workload", "server", "images/s", "min", "max", "CPU ms", "ratio", "goal")

Pair = Sequence[Run]  # one run of each server, one right after the other; the gateway's first


@dataclass(frozen=True, slots=True)
class Result:
    """What one workload gave."""

    workload: Workload
    pairs: Sequence[Pair]

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as Orthanc, for each pair; empty when Orthanc was not there.

        Taken within a pair, so that a machine that is busier for a while slows down both sides.
        """
        return [pair[1].elapsed_s / pair[0].elapsed_s for pair in self.pairs if len(pair) == 2]

    def runs_by_server(self) -> list[tuple[Run, ...]]:
        """All runs of the gateway, then all of Orthanc."""
        return [*zip(*self.pairs, strict=True)]


def rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """One line for each workload and server, under _COLUMNS."""
    for result in results:
        ratio = f"{statistics.median(result.ratios):.2f}" if result.ratios else "-"
        verdicts = iter([(ratio, f"{result.workload.goal:g}"), ("", "")])
        for runs in result.runs_by_server():
            speeds = [run.images_per_s for run in runs]
            yield (
                result.workload.title,
                runs[0].server,
                f"{statistics.median(speeds):.0f}",
                f"{min(speeds):.0f}",
                f"{max(speeds):.0f}",
                f"{statistics.median(run.cpu_ms_per_image for run in runs):.2f}",
                *next(verdicts),
            )


def table(results: Sequence[Result]) -> Table:
    """For a terminal."""
    shown = Table(title="Medians; CPU for one image; how many times as fast as Orthanc")
    for number, heading in enumerate(_COLUMNS):
        shown.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    for row in rows(results):
        shown.add_row(*row)
    return shown


def as_json(results: Sequence[Result]) -> dict[str, object]:
    """Every run, and what it ran on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["bench/compare.py", *sys.argv[1:]]),
        "machine": machine(),
        "versions": _versions(),
        "image_pixel_bytes": PIXEL_BYTES,
        "workloads": [_workload_as_json(result) for result in results],
    }


def save(results: Sequence[Result], report: Mapping[str, object], folder: Path) -> Path:
    """Write the report and its Markdown, named by the time; answer the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    stem.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    page = stem.with_suffix(".md")
    page.write_text(_as_markdown(results, report))
    return page


def _workload_as_json(result: Result) -> dict[str, object]:
    return {
        "name": result.workload.name,
        "title": result.workload.title,
        "goal": result.workload.goal,
        "ratios": [round(ratio, 3) for ratio in result.ratios],
        "median_ratio": round(statistics.median(result.ratios), 3) if result.ratios else None,
        "pairs": [[asdict(run) for run in pair] for pair in result.pairs],
    }


def _as_markdown(results: Sequence[Result], report: Mapping[str, object]) -> str:
    lines = [f"# {report['date']}", "", f"`{report['command']}`", ""]
    lines += ["| " + " | ".join(row) + " |" for row in (_COLUMNS, ["---"] * len(_COLUMNS))]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results)]
    for heading in ("machine", "versions"):
        facts = report[heading]
        assert isinstance(facts, Mapping)
        lines += ["", f"{heading}: " + ", ".join(f"{k} {v}" for k, v in facts.items())]
    return "\n".join(lines) + "\n"


def _versions() -> dict[str, str]:
    orthanc = Orthanc.program()
    return {
        "gateway": version("dicom-lua-gateway"),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "orthanc": first_line(orthanc, "--version").split()[-1] if orthanc else "absent",
        "dcmtk": first_line("storescu", "--version").split()[2],
    }
