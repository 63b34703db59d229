"""How fast images are transcoded, and what of that codecs take: `make bench-codecs`."""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codec_calls import Calls, calls_of
from codec_report import Codec, Cost, Findings, Workers, save
from codec_routes import EXPLICIT, ROUTES, Image, Route, make_image
from codec_runs import Budget, Pipeline, compare, compare_workers, pool_of, speeds
from rich.console import Console

from gateway.codecs.processes import CodecPool
from gateway.errors import TranscodeError

RESULTS = Path(__file__).parent / "results"
_SPREAD = ("j2k", "htj2k", "jpegls", "jpeg-lossless")
# Files of one frame in one run: enough to be timed, and that a sync more or less says little.
_REPEAT = 10
_MORE_FILES = 4
_NARROWEST = 100

progress = Console(stderr=True)


def main() -> int:
    """Measure what was asked for; answers the exit code."""
    options = _options()
    found = Findings()
    with (
        tempfile.TemporaryDirectory(prefix="bench-codecs-") as folder,
        pool_of(processes=1) as one,
        pool_of(processes=2) as two,
    ):
        bench = Bench(Path(folder), one, two, Budget(options.seconds, options.patience), found)
        try:
            for route in ROUTES:
                if options.only in (None, route.target_name):
                    bench.measure(route, options.frames)
        except (KeyboardInterrupt, TranscodeError) as stopped:
            progress.print(f"stopped, with what there is by now: {stopped!r}")
    screen = Console()
    screen.width = max(screen.width, _NARROWEST)
    for sheet in found.sheets():
        screen.print(sheet.shown())
    page = save(found, options.results)
    progress.print(f"written to {page.parent.name}/{page.name}")
    return 0


@dataclass(frozen=True, slots=True)
class Bench:
    """one, two: so many codec processes. budget: for each line of each table."""

    folder: Path
    one: CodecPool
    two: CodecPool
    budget: Budget
    found: Findings

    def measure(self, route: Route, frames: int) -> None:
        """One route, with images of one frame and of many; and by two processes, if it is apt."""
        for count, repeat in ((1, _REPEAT), (frames, 1)):
            progress.print(f"{route.title} \N{MIDDLE DOT} {count} frames", highlight=False)
            image = make_image(route, count, self.folder, self.one)
            calls = calls_of(route, image)
            if count == 1 and calls.encode and not calls.decode_source:
                self.found.codecs.append(
                    Codec(route, speeds(calls, image, self.budget.running_s / 5))
                )
            self._cost(route, image, calls, repeat)
            if route.target_name in _SPREAD and route.source_name == EXPLICIT:
                self._workers(route, image, calls, repeat * _MORE_FILES)

    def _cost(self, route: Route, image: Image, calls: Calls, repeat: int) -> None:
        pipeline = Pipeline(self.one, route, image, self.folder)
        rounds = compare(calls, pipeline, repeat, self.budget)
        pixel_bytes = image.pixel_bytes * repeat
        self.found.costs.append(Cost(route, len(image.pixels), pixel_bytes, rounds, bool(calls)))

    def _workers(self, route: Route, image: Image, calls: Calls, files: int) -> None:
        one, two = (Pipeline(pool, route, image, self.folder) for pool in (self.one, self.two))
        what = f"{files} files"
        if len(image.pixels) > 1:
            files, what = 1, f"1 of {len(image.pixels)} frames"
        pairs = compare_workers(calls, one, two, files, self.budget)
        self.found.workers.append(Workers(route, what, image.pixel_bytes * files, pairs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="short name of a target, such as j2k")
    parser.add_argument("--frames", type=int, default=100, help="of the image of many frames")
    parser.add_argument("--seconds", type=float, default=20, help="for each line, at most or so")
    parser.add_argument(
        "--patience", type=float, default=20, help="seconds to wait until others leave the machine"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
