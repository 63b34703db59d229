"""How fast a C-STORE is answered while a legacy script converts what came before.

One gateway without a script and one with it, in turn; both get the same images, at the pace of a
scanner or as fast as they take them. See bench/README.md.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images import make_images
from machine import machine
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from servers import BenchError, Gateway

from gateway.config.models import Destination
from gateway.dimse.contexts import Context
from gateway.dimse.sender import ForwardAssociation, open_association

TOOLS = ("gdcmconv", "dcmodify", "echoscu")
# As sites have it: a file, two programs, an upload, a deletion.
CONVERTER = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then return end
  local original, converted = instanceId .. '.dcm', instanceId .. '.j2k'
  local target = assert(io.open(original, 'wb'))
  target:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  target:close()
  assert(os.execute('gdcmconv --j2k ' .. original .. ' ' .. converted))
  assert(os.execute('dcmodify -nb -gin -i 0008,103e=converted ' .. converted))
  local source = assert(io.open(converted, 'rb'))
  RestApiPost('/instances', source:read('*all'))
  source:close()
  RestApiDelete('/instances/' .. instanceId)
  os.remove(original)
  os.remove(converted)
end
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """The times from the first byte of a C-STORE to its answer, in milliseconds.

    converted: how many images the script was done with when the last answer came.
    """

    times_ms: Sequence[float]
    converted: int

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def p95_ms(self) -> float:
        return statistics.quantiles(self.times_ms, n=20)[-1]


def main() -> int:
    """The command; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--per-second", type=float, default=20, help="0: as fast as they go")
    options = parser.parse_args()
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing:
        print(f"nothing can be measured without {', '.join(missing)}", file=sys.stderr)
        return 1
    period_s = 1 / options.per_second if options.per_second else 0.0
    with tempfile.TemporaryDirectory(prefix="bench-images-") as folder:
        images = [*make_images(Path(folder) / "images", options.images).values()]
        pairs = [
            _pair(images, period_s, first_with_script=bool(number % 2))
            for number in range(options.pairs)
        ]
    _show(pairs)
    return 0


def _pair(
    images: Sequence[Path], period_s: float, *, first_with_script: bool
) -> tuple[Answers, Answers]:
    """Without the script, and with it."""
    order = (CONVERTER, "") if first_with_script else ("", CONVERTER)
    measured = {script: measure(script, images, period_s) for script in order}
    return measured[""], measured[CONVERTER]


def measure(script: str, images: Sequence[Path], period_s: float) -> Answers:
    """Send all of them to a fresh gateway; the first tells the script to begin.

    Raises BenchError.
    """
    first, *others = images
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Gateway(Path(folder), archive_port=1, script=script) as server,
    ):
        association = _associated(server.port)
        try:
            association.store(first)
            times_ms = _sent(association, others, period_s)
        finally:
            association.release()
        if not script:
            server.wait_until_it_keeps(len(images))
        converted = len(images) - server.images_kept()
    return Answers(times_ms, converted)


def _associated(port: int) -> ForwardAssociation:
    peer = Destination(aet="GATEWAY", host="127.0.0.1", port=port)
    contexts = [Context(str(CTImageStorage), str(ExplicitVRLittleEndian))]
    return open_association(peer, calling_aet="CT", contexts=contexts)


def _sent(association: ForwardAssociation, images: Sequence[Path], period_s: float) -> list[float]:
    times_ms = []
    due_s = time.perf_counter()
    for path in images:
        time.sleep(max(0.0, due_s - time.perf_counter()))
        began_s = time.perf_counter()
        association.store(path)
        times_ms.append((time.perf_counter() - began_s) * 1000)
        due_s = max(due_s + period_s, began_s)
    return times_ms


def _show(pairs: Sequence[tuple[Answers, Answers]]) -> None:
    print("| | median | 95 of 100 within |")
    print("|---|---|---|")
    for name, column in (("without the script", 0), ("with it", 1)):
        median_ms = statistics.median(pair[column].median_ms for pair in pairs)
        p95_ms = statistics.median(pair[column].p95_ms for pair in pairs)
        print(f"| {name} | {median_ms:.1f} ms | {p95_ms:.1f} ms |")
    median_ratio = statistics.median(a.median_ms / b.median_ms for b, a in pairs)
    p95_ratio = statistics.median(a.p95_ms / b.p95_ms for b, a in pairs)
    print(f"| ratio, of each pair | {median_ratio:.2f} | {p95_ratio:.2f} |")
    converted = statistics.median(pair[1].converted for pair in pairs)
    print(f"\n{converted:g} images were converted until the last was answered")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(str(error))
