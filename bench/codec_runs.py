"""Timing: bare calls and the pipeline around them, in turn; one codec process and two."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from codec_calls import Calls
from codec_routes import Image, Route

from gateway.codecs.processes import CodecPool

_MEMORY_MB = 2048
_TIMEOUT_S = 600.0
_FEWEST_ROUNDS = 5
_SETTLED = 0.01
# Of a core. Where others use more of it, two processes cannot be twice as fast as one.
_QUIET = 0.15
_GLANCE_S = 0.3
# What is to be done lies in memory, and is inherited.
_FORK = multiprocessing.get_context("fork")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Budget:
    """For one line of a table. patience_s: to be waited in all until others leave the machine."""

    running_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class Timing:
    """What a run took: by the clock, and of the processor."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """The same work in four ways, one right after the other.

    bare: nothing but calls of codecs. piped: through a codec process, from file to file. others:
    cores that others used meanwhile.
    """

    bare: Timing
    piped: Timing
    bare_unverified: Timing
    piped_unverified: Timing
    others: float


@dataclass(frozen=True, slots=True)
class Pair:
    """The same work by one process, then by two: through the pipeline, and bare.

    others: cores that others used meanwhile.
    """

    one_s: float
    two_s: float
    bare_one_s: float
    bare_two_s: float
    others: float

    @property
    def ratio(self) -> float:
        return self.one_s / self.two_s

    @property
    def bare_ratio(self) -> float:
        """What the machine allows: cores may share caches, memory and a power budget."""
        return self.bare_one_s / self.bare_two_s


_Run = TypeVar("_Run", Round, Pair)


class Pipeline:
    """A route as the gateway goes it: by codec processes, from a file to a synced file."""

    def __init__(self, pool: CodecPool, route: Route, image: Image, folder: Path) -> None:
        self._pool = pool
        self._route = route
        self._image = image
        self._folder = folder

    @property
    def process_ids(self) -> list[int]:
        return self._pool.process_ids()

    def run(self, *, verify: bool, repeat: int, at_once: int = 1) -> Timing:
        """Make so many files of the one, by `at_once` threads that ask for it."""
        targets = [self._folder / f"target-{number}.dcm" for number in range(repeat)]
        options = replace(self._route.options, verify=verify)

        def make(target: Path) -> None:
            self._pool.transcode(self._image.path, target, [self._route.target.uid], options)

        def make_all() -> None:
            with ThreadPoolExecutor(at_once) as threads:
                list(threads.map(make, targets))

        try:
            return _timed(make_all, lambda: _cpu_s(self.process_ids))
        finally:
            for target in targets:
                target.unlink(missing_ok=True)


@contextmanager
def pool_of(processes: int) -> Iterator[CodecPool]:
    """Codec processes as the gateway has them."""
    pool = CodecPool(processes=processes, memory_mb=_MEMORY_MB, timeout_s=_TIMEOUT_S)
    try:
        yield pool
    finally:
        pool.close()


def compare(calls: Calls, pipeline: Pipeline, repeat: int, budget: Budget) -> list[Round]:
    """Rounds until their median has settled. One before them does not count."""
    _round(calls, pipeline, 1)
    return _repeated(
        lambda: _round(calls, pipeline, repeat),
        lambda each: each.piped.wall_s / each.bare.wall_s,
        budget,
    )


def compare_workers(
    calls: Calls, one: Pipeline, two: Pipeline, repeat: int, budget: Budget
) -> list[Pair]:
    """Pairs until their median has settled.

    repeat: files; of a single one, the frames are spread over the processes.
    """
    for pipeline in (one, two):
        pipeline.run(verify=True, repeat=2, at_once=2)
    return _repeated(lambda: _pair(calls, one, two, repeat), lambda pair: pair.ratio, budget)


def _repeated(
    run: Callable[[], _Run], ratio: Callable[[_Run], float], budget: Budget
) -> list[_Run]:
    """Runs until the ratio of the quiet ones has settled or the budget is used up."""
    runs: list[_Run] = []
    running_s, patience_s = budget.running_s, budget.patience_s
    while not runs or (running_s > 0 and not _is_settled([ratio(each) for each in quiet(runs)])):
        started = time.monotonic()
        _wait_until_quiet(patience_s)
        begun = time.monotonic()
        runs.append(run())
        patience_s -= begun - started
        running_s -= time.monotonic() - begun
    return runs


def _wait_until_quiet(patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        meter = _Others([])
        time.sleep(_GLANCE_S)
        if meter.cores() <= _QUIET:
            return


def quiet(runs: Sequence[_Run]) -> list[_Run]:
    """Those during which the machine had its cores for us."""
    return [run for run in runs if run.others <= _QUIET]


def speeds(calls: Calls, image: Image, budget_s: float) -> dict[str, float]:
    """Pixels in MB/s of each call alone, and the ratio of sizes: medians of calls in turn."""
    seconds: dict[str, list[float]] = {"encode": [], "decode": [], "check": []}
    assert calls.encode is not None
    end, index, coded_bytes = time.monotonic() + budget_s, 0, 0
    while index < calls.pieces or time.monotonic() < end:
        coded, encode_s = _seconds(calls.encode, index % calls.pieces)
        seconds["encode"].append(encode_s)
        for name, call in (("decode", calls.decode_result), ("check", calls.check)):
            if call is not None:
                seconds[name].append(_seconds(call, coded)[1])
        coded_bytes += len(coded) if index < calls.pieces else 0
        index += 1
    piece_bytes = image.pixel_bytes / calls.pieces
    found = {
        name: piece_bytes / statistics.median(each) / 1e6 for name, each in seconds.items() if each
    }
    return found | {"ratio": image.pixel_bytes / coded_bytes}


def _seconds(call: Callable[[Any], Any], given: object) -> tuple[Any, float]:
    """What a call answers, and how long it took."""
    started = time.perf_counter()
    made = call(given)
    return made, time.perf_counter() - started


def _round(calls: Calls, pipeline: Pipeline, repeat: int) -> Round:
    def bare(verify: bool) -> Timing:
        return _timed(lambda: [calls.run(verify=verify) for _ in range(repeat)], time.process_time)

    meter = _Others([pipeline])
    return Round(
        bare=bare(True),
        piped=pipeline.run(verify=True, repeat=repeat),
        piped_unverified=pipeline.run(verify=False, repeat=repeat),
        bare_unverified=bare(False),
        others=meter.cores(),
    )


def _pair(calls: Calls, one: Pipeline, two: Pipeline, repeat: int) -> Pair:
    meter = _Others([one, two])
    one_s = one.run(verify=True, repeat=repeat).wall_s
    two_s = two.run(verify=True, repeat=repeat, at_once=2).wall_s
    others = meter.cores()
    pieces = repeat * calls.pieces
    return Pair(one_s, two_s, _bare_s(calls, pieces, 1), _bare_s(calls, pieces, 2), others)


def _bare_s(calls: Calls, pieces: int, processes: int) -> float:
    """How long so many processes take for so many pieces, each for its share."""
    ready, go = _FORK.Barrier(processes + 1), _FORK.Barrier(processes + 1)

    def work() -> None:
        calls.run(verify=True, pieces=1)
        ready.wait()
        go.wait()
        calls.run(verify=True, pieces=-(-pieces // processes))

    workers = [_FORK.Process(target=work) for _ in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    go.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


def _is_settled(ratios: Sequence[float]) -> bool:
    """Whether the last two have not moved the median by much."""
    if len(ratios) < _FEWEST_ROUNDS:
        return False
    return abs(statistics.median(ratios) / statistics.median(ratios[:-2]) - 1) < _SETTLED


def _timed(action: Callable[[], object], cpu_clock: Callable[[], float]) -> Timing:
    wall, cpu = time.perf_counter(), cpu_clock()
    action()
    return Timing(time.perf_counter() - wall, cpu_clock() - cpu)


def _cpu_s(process_ids: Sequence[int]) -> float:
    """Seconds of processor that these processes have used so far."""
    clocks = [path for pid in process_ids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in clocks) / 1e9


class _Others:
    """What others use of the machine, from now on."""

    def __init__(self, pipelines: Sequence[Pipeline]) -> None:
        self._ours = [os.getpid(), *(pid for each in pipelines for pid in each.process_ids)]
        self._started = time.perf_counter()
        self._used_s = self._used_so_far_s()

    def cores(self) -> float:
        """How many cores."""
        used_s = self._used_so_far_s() - self._used_s
        return max(0.0, used_s / (time.perf_counter() - self._started))

    def _used_so_far_s(self) -> float:
        user, nice, system, _idle, _waiting, *more = map(
            int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
        )
        return (user + nice + system + sum(more[:3])) / _TICKS_PER_S - _cpu_s(self._ours)
