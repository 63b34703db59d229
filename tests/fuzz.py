"""Put mutated files through real codec processes, thousands for each decoder: `make fuzz`.

One line for each kind of source tells what became of its files. The exit code is 1 when a promise
of trial.py was broken; a codec process that crashed is counted and its file kept, but is what codec
processes are for.
"""

import argparse
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.subjects import KINDS
from fuzzing.trial import Case, Outcome, Trial, nothing_left, outcomes

from gateway.codecs.processes import CodecPool
from gateway.errors import CodecProcessDied

# Those take a hundred times as long as the others.
LARGE, LARGE_SHARE = "large", 50
# A file is slow from here on; more than the CPU seconds that any image may take is broken.
SLOW_S = 3.0
LIMIT_S = 60.0
TIMEOUT_S = 120.0
# Results are synced to the device, which would take most of the time.
_SHARED_MEMORY = Path("/dev/shm")
IN_MEMORY = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
# An exception that nobody catches below the border of the codec process.
_UNFORESEEN = re.compile(r"\w+ in \w+\.py, line \d+")


@dataclass(slots=True)
class Tally:
    """The outcomes of one kind."""

    endings: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    broken: list[str] = field(default_factory=list)

    def add(self, case: Case, outcome: Outcome) -> None:
        self.endings[outcome.ending] += 1
        if outcome.ending == CodecProcessDied.kind:
            self.deaths[outcome.message] += 1
        if _UNFORESEEN.match(outcome.message):
            self.unforeseen[outcome.message] += 1
        self.slowest = max(self.slowest, (outcome.seconds, str(case)))
        self.broken += [f"{case}: {promise}" for promise in outcome.broken]

    def line(self, kind: str, peak_mb: float) -> str:
        endings = ", ".join(f"{count} {ending}" for ending, count in sorted(self.endings.items()))
        seconds, case = self.slowest
        notes = (*self.deaths.items(), *self.unforeseen.items())
        noted = "".join(f"\n    {count} x {message}" for message, count in notes)
        return (
            f"{kind}: {self.endings.total()} files: {endings}; slowest {seconds:.2f} s ({case}),"
            f" {peak_mb:.0f} MB{noted}"
        )


def fuzz(kind: str, cases: Iterator[Case], arguments: argparse.Namespace) -> Tally:
    """Judge the cases of one kind; keep the files that ended a process, were slow or worse."""
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, nothing_left(Path(folder)):
        pool = CodecPool(
            processes=arguments.processes, memory_mb=arguments.memory_mb, timeout_s=TIMEOUT_S
        )
        trial = Trial(pool, Path(folder), LIMIT_S)
        try:
            for case, outcome in outcomes(trial, cases, at_once=arguments.processes):
                tally.add(case, outcome)
                if _is_worth_keeping(outcome):
                    _keep(case, outcome, arguments.keep)
        finally:
            pool.close()
    _say(tally.line(kind, trial.peak.resident_mb))
    return tally


def _is_worth_keeping(outcome: Outcome) -> bool:
    ended = outcome.ending in (CodecProcessDied.kind, "verification-failed")
    return ended or bool(outcome.broken) or outcome.seconds > SLOW_S


def _keep(case: Case, outcome: Outcome, folder: Path | None) -> None:
    told = "; ".join((outcome.ending, outcome.message, *outcome.broken))
    _say(f"  {case} {outcome.seconds:.1f} s {told}")
    if folder is not None:
        (folder / f"{str(case).replace(':', '-')}.dcm").write_bytes(case.file())


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


def cases_of(kind: str, arguments: argparse.Namespace, deadline: float) -> Iterator[Case]:
    """As many as are asked for, until the time is over."""
    count = arguments.count if kind != LARGE else -(-arguments.count // LARGE_SHARE)
    for number in range(arguments.first, arguments.first + count):
        if time.monotonic() > deadline:
            return
        yield Case(kind, arguments.seed, number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other files")
    parser.add_argument("--count", type=int, default=10_000, help="files for each decoder")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--decoder", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--keep", type=Path, help="folder for files that ended a process")
    parser.add_argument("--folder", type=Path, default=IN_MEMORY, help="for temporary files")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    warnings.simplefilter("ignore")  # pydicom's, about results that are as odd as their sources
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    deadline = started + arguments.minutes * 60
    tallies = [
        fuzz(kind, cases_of(kind, arguments, deadline), arguments)
        for kind in arguments.decoder or KINDS
    ]
    files = sum(tally.endings.total() for tally in tallies)
    deaths = sum(tally.deaths.total() for tally in tallies)
    broken = [promise for tally in tallies for promise in tally.broken]
    minutes = (time.monotonic() - started) / 60
    _say(f"{files} files, {minutes:.1f} min, {deaths} codec processes ended, {len(broken)} broken")
    for promise in broken:
        _say(f"BROKEN {promise}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
