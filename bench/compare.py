"""The gateway and Orthanc, side by side: `make bench`. See bench/README.md."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from images import make_images
from report import Result, as_json, save, table
from rich.console import Console
from servers import BenchError, Gateway, Orthanc, Server
from workloads import WORKLOADS, Run, Workload, run_once

INSTRUMENTS = ("storescu", "storescp", "echoscu")
RESULTS = Path(__file__).parent / "results"

progress = Console(stderr=True)


def main() -> int:
    """Run what was asked for; answers the exit code."""
    options = _options()
    missing = [name for name in INSTRUMENTS if shutil.which(name) is None]
    if missing:
        progress.print(f"nothing can be measured without DCMTK's {', '.join(missing)}")
        return 1
    servers = _servers(options.without_orthanc)
    workloads = [each for each in WORKLOADS if options.only in (None, each.name)]
    try:
        with tempfile.TemporaryDirectory(prefix="bench-images-") as folder:
            images = make_images(Path(folder) / "images", options.images)
            results = [compare(each, servers, images, options.pairs) for each in workloads]
    except BenchError as error:
        said = "\n".join([str(error), *getattr(error, "__notes__", [])])
        progress.print(said, style="red", markup=False, highlight=False)
        return 1
    report = as_json(results)
    page = save(results, report, options.results)
    if options.json:
        print(json.dumps(report))
    else:
        Console().print(table(results))
    progress.print(f"written to {page.parent.name}/{page.name}")
    return 0


def compare(
    workload: Workload,
    servers: Sequence[type[Server]],
    images: Mapping[str, Path],
    pairs: int,
) -> Result:
    """So many pairs of runs, after one of each server that does not count.

    Who begins changes from pair to pair: what one leaves behind, in caches and on the disk, would
    else always be to the cost of the same other.
    """
    for server in servers:
        _measure(workload, server, images, "warm-up")
    measured = []
    for number in range(pairs):
        order = servers if number % 2 == 0 else servers[::-1]
        runs = {
            server: _measure(workload, server, images, f"pair {number + 1} of {pairs}")
            for server in order
        }
        measured.append([runs[server] for server in servers])
    return Result(workload, measured)


def _measure(
    workload: Workload, server: type[Server], images: Mapping[str, Path], what: str
) -> Run:
    run = run_once(workload, server, images)
    progress.print(
        f"{workload.title} · {what} · {run.server}: {run.images_per_s:.0f}/s, "
        f"{run.cpu_ms_per_image:.2f} ms CPU for each"
        + (f", {run.repeated} delivered again" if run.repeated else ""),
        highlight=False,
    )
    return run


def _servers(without_orthanc: bool) -> list[type[Server]]:
    if without_orthanc:
        return [Gateway]
    if Orthanc.program() is None:
        progress.print("Orthanc is not installed: only the gateway is measured")
        return [Gateway]
    return [Gateway, Orthanc]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=_positive, default=3, help="measured runs of each server")
    parser.add_argument("--images", type=_positive, default=400, help="images in each run")
    parser.add_argument("--only", choices=[each.name for each in WORKLOADS])
    parser.add_argument("--without-orthanc", action="store_true", help="measure the gateway only")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
