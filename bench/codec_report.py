"""What the benchmark of the codecs found: tables on the terminal, JSON and Markdown in a folder."""

import json
import platform
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from codec_routes import Route
from codec_runs import Pair, Round, Timing, quiet
from machine import machine
from rich.table import Table

COST_GOAL, WORKERS_GOAL = 0.15, 1.8
_PACKAGES = (
    "dicom-lua-gateway", "imagecodecs", "pylibjpeg-openjpeg", "pyjpegls", "pylibjpeg-rle", "jxlpy",
    "zlib-ng", "pydicom", "numpy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: headings, and rows of cells."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def shown(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title)
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a page."""
        lines = [self.headings, ["---"] * len(self.headings), *self.rows]
        return "\n".join([f"## {self.title}", "", *("| " + " | ".join(x) + " |" for x in lines)])


@dataclass(frozen=True, slots=True)
class Codec:
    """speeds: MB/s of pixels for each call alone, and the ratio of sizes."""

    route: Route
    speeds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """A route with files of so many frames. pixel_bytes: what one round moves each way."""

    route: Route
    frames: int
    pixel_bytes: int
    rounds: Sequence[Round]
    has_calls: bool


@dataclass(frozen=True, slots=True)
class Workers:
    """Two processes against one. what: the objects of one run."""

    route: Route
    what: str
    pixel_bytes: int
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it; lists that grow while it is measured."""

    codecs: list[Codec] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    workers: list[Workers] = field(default_factory=list)

    def sheets(self) -> list[Sheet]:
        """The tables that have rows."""
        sheets = [codec_sheet(self.codecs), cost_sheet(self.costs), worker_sheet(self.workers)]
        return [sheet for sheet in sheets if sheet.rows]


def codec_sheet(found: Sequence[Codec]) -> Sheet:
    """The calls alone."""
    names = ("encode", "decode", "check")
    return Sheet(
        "Codecs alone: MB/s of raw pixels per core",
        ("target", "image", *names, "ratio"),
        [
            (
                each.route.target_title,
                each.route.kind.name,
                *(f"{each.speeds[name]:.0f}" if name in each.speeds else "-" for name in names),
                f"{each.speeds['ratio']:.2f}",
            )
            for each in found
        ],
    )


def cost_sheet(found: Sequence[Cost]) -> Sheet:
    """The pipeline and the calls that it cannot do without."""
    return Sheet(
        f"One codec process, file to synced file: MB/s, and what it costs over the bare calls"
        f" (goal: at most {COST_GOAL:.0%})",
        (
            *("route", "image", "frames", "bare", "pipeline", "cost", "of CPU"),
            *("unverified", "cost", "quiet rounds"),
        ),
        [_cost_row(each) for each in found],
    )


def worker_sheet(found: Sequence[Workers]) -> Sheet:
    """One process and two."""
    return Sheet(
        f"Two codec processes against one: MB/s, how many times as fast (goal: {WORKERS_GOAL}), and"
        " the same of two processes that do nothing but the bare calls",
        ("route", "objects", "one", "two", "times", "bare", "quiet pairs"),
        [_worker_row(each) for each in found],
    )


def _cost_row(cost: Cost) -> tuple[str, ...]:
    still = quiet(cost.rounds)
    rounds = still or cost.rounds  # no quiet moment: the busy ones say at least something

    def speed(way: Callable[[Round], Timing]) -> str:
        wall_s = statistics.median(way(each).wall_s for each in rounds)
        return f"{cost.pixel_bytes / wall_s / 1e6:.0f}"

    def more(piped: Callable[[Round], float], bare: Callable[[Round], float]) -> str:
        """The median of ratios within rounds: both sides had the same machine."""
        ratio = statistics.median(piped(each) / bare(each) for each in rounds)
        return f"{ratio - 1:+.0%}"

    bare, of_wall, of_cpu, of_unverified = "-", "-", "-", "-"
    if cost.has_calls:
        bare = speed(lambda each: each.bare)
        of_wall = more(lambda each: each.piped.wall_s, lambda each: each.bare.wall_s)
        of_cpu = more(lambda each: each.piped.cpu_s, lambda each: each.bare.cpu_s)
        of_unverified = more(
            lambda each: each.piped_unverified.wall_s, lambda each: each.bare_unverified.wall_s
        )
    route = cost.route
    return (
        *(route.title, route.kind.name, str(cost.frames), bare),
        *(speed(lambda each: each.piped), of_wall, of_cpu),
        *(speed(lambda each: each.piped_unverified), of_unverified),
        f"{len(still)} of {len(cost.rounds)}",
    )


def _worker_row(workers: Workers) -> tuple[str, ...]:
    still = quiet(workers.pairs)
    pairs = still or workers.pairs
    one, two = (
        f"{workers.pixel_bytes / statistics.median(seconds) / 1e6:.0f}"
        for seconds in ([pair.one_s for pair in pairs], [pair.two_s for pair in pairs])
    )
    times = f"{statistics.median(pair.ratio for pair in pairs):.2f}"
    bare = f"{statistics.median(pair.bare_ratio for pair in pairs):.2f}"
    return (
        *(workers.route.title, workers.what, one, two, times, bare),
        f"{len(still)} of {len(workers.pairs)}",
    )


def save(found: Findings, folder: Path) -> Path:
    """Write every run as JSON and the tables as Markdown, named by the time; answer the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["bench/codecs.py", *sys.argv[1:]]),
        "machine": machine(),
        "versions": _versions(),
        **{name: [_as_json(each) for each in getattr(found, name)] for name in Findings.__slots__},
    }
    stem = folder / datetime.now(UTC).strftime("codecs-%Y-%m-%dT%H%M%SZ")
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    page = stem.with_suffix(".md")
    facts = [
        f"{name}: " + ", ".join(f"{k} {v}" for k, v in report[name].items())
        for name in ("machine", "versions")
    ]
    tables = [sheet.markdown() for sheet in found.sheets()]
    parts = [f"# {report['date']}", f"`{report['command']}`", *tables, *facts]
    page.write_text("\n\n".join(parts) + "\n")
    return page


def _as_json(found: Codec | Cost | Workers) -> dict[str, Any]:
    described = {"route": found.route.title, "image": found.route.kind.name}
    fields = asdict(replace(found, route=None))
    return described | {name: value for name, value in fields.items() if name != "route"}


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):  # some are for some Pythons only
            versions[package] = version(package)
    return versions
