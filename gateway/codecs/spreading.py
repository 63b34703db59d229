"""One image of many frames, spread over the codec processes that are idle."""

from collections import deque
from itertools import pairwise
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from gateway.codecs.idle import IdleProcesses
from gateway.codecs.process import CodecProcess

# Parts take a second or less, so that processes come free for others; and there are not so few that
# one process has nothing to do while another is at the last.
_PART_BYTES = 8 << 20
_PARTS_PER_PROCESS = 3
_SMALLEST_BYTES = 4 << 20

Request = dict[str, Any]


class Spreading:
    """How one image is made by several processes: `own`, and those that `idle` has meanwhile."""

    def __init__(
        self, own: CodecProcess, idle: IdleProcesses, request: Request, *, processes: int
    ) -> None:
        self._own = own
        self._idle = idle
        self._request = request
        self._processes = processes
        self._busy: dict[CodecProcess, Path] = {}
        self._seconds = 0.0

    def carry_out(self) -> dict[str, Any] | None:
        """The report; None when the image is not worth it, or cannot be parted. TranscodeError."""
        outline = self._own.ask(self._request | {"do": "outline"})
        ranges = part_ranges(outline["frames"], outline["native_bytes"], self._processes)
        if len(ranges) < 2:
            return None
        self._request["syntax"] = outline["syntax_uid"]
        parts = self._make(ranges)
        request = {"do": "join", "parts": list(map(str, parts)), "seconds": self._seconds}
        report = self._own.ask(self._request | request)
        return report | {"refusals": outline["refusals"]}

    def _make(self, ranges: list[tuple[int, int]]) -> list[Path]:
        Path(self._request["scratch"]).mkdir()
        waiting = deque(ranges)
        parts = []
        try:
            while waiting or self._busy:
                while waiting and (process := self._free_process()) is not None:
                    parts.append(self._begin(process, *waiting.popleft()))
                self._finish_one()
        except BaseException:
            self._abandon()
            raise
        return parts

    def _free_process(self) -> CodecProcess | None:
        if self._own not in self._busy:
            return self._own
        return self._idle.take_spare()

    def _begin(self, process: CodecProcess, first: int, last: int) -> Path:
        part = Path(self._request["scratch"]) / f"part-{first}"
        self._busy[process] = part
        process.begin(
            self._request | {"do": "part", "first": first, "last": last, "part": str(part)}
        )
        return part

    def _finish_one(self) -> None:
        """Wait for a process; hand it back when it is borrowed: others may be waiting for it."""
        ready = wait([process.answers for process in self._busy], self._own.timeout_s)
        # When none is ready, the next to be asked raises that its time is over.
        process = next((each for each in self._busy if each.answers in ready), self._own)
        self._seconds += process.result()["seconds"]
        self._hand_back(process)

    def _abandon(self) -> None:
        for process in list(self._busy):
            process.restart()
            self._hand_back(process)

    def _hand_back(self, process: CodecProcess) -> None:
        del self._busy[process]
        if process is not self._own:
            self._idle.hand_back(process)


def part_ranges(frames: int, native_bytes: int, processes: int) -> list[tuple[int, int]]:
    """First frame and the one behind the last of each part; one part when more are not worth it."""
    if frames < 2 or native_bytes < _SMALLEST_BYTES:
        return [(0, frames)]
    wanted = max(processes * _PARTS_PER_PROCESS, native_bytes // _PART_BYTES)
    count = min(frames, wanted)
    edges = [frames * number // count for number in range(count + 1)]
    return list(pairwise(edges))
