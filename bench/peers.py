"""Who sends and who receives: DCMTK's storescu and storescp, the same for both servers."""

import re
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from servers import ENVIRONMENT, BenchError, free_port

# A file system in memory, so that the archive's disk is not measured.
_IN_MEMORY = Path("/dev/shm")
_ARRIVAL = re.compile(r"^I: storing DICOM file: .*/[A-Z]+\.([0-9.]+)$")


class Archive:
    """storescp, which says on its output what arrives.

    Its own words are counted, not its files: each is read the moment it is said, a repetition is
    seen, and nobody has to look again and again while the server is measured.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.arrivals: Counter[str] = Counter()

    def __enter__(self) -> "Archive":
        with ExitStack() as opened:
            place = _IN_MEMORY if _IN_MEMORY.is_dir() else None
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="archive-", dir=place))
            self._process = opened.enter_context(
                subprocess.Popen(
                    ["storescp", "-v", "-aet", "ARCHIVE", "-od", folder, str(self.port)],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env=ENVIRONMENT,
                )
            )
            opened.callback(self._process.terminate)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()

    def wait_for(self, uids: Collection[str]) -> None:
        """Return when each has arrived. Raises BenchError when that takes too long."""
        missing = set(uids)
        alarm = threading.Timer(_patience_s(len(uids)), self._process.terminate)
        alarm.start()
        try:
            while missing:
                missing.discard(self._next_arrival())
        except EOFError:
            raise BenchError(f"{len(missing)} of {len(uids)} images did not arrive") from None
        finally:
            alarm.cancel()

    def close_and_count_repetitions(self) -> int:
        """End, read what was said meanwhile, and answer how often an image came once more."""
        self._process.terminate()
        try:
            while True:
                self._next_arrival()
        except EOFError:
            return self.arrivals.total() - len(self.arrivals)

    def _next_arrival(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _ARRIVAL.match(line.rstrip()):
                self.arrivals[found[1]] += 1
                return found[1]
        raise EOFError


class Senders:
    """storescu, one process for each association; they send when the context begins."""

    def __init__(self, images: Sequence[Path], port: int, associations: int) -> None:
        self._patience_s = _patience_s(len(images))
        self._commands = [
            ["storescu", "--required", "127.0.0.1", str(port), *map(str, images[n::associations])]
            for n in range(associations)
        ]

    def __enter__(self) -> "Senders":
        self._processes = [
            subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
            for command in self._commands
        ]
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self._processes:
            if process.returncode is None:  # something else failed, and nobody waited for it
                process.kill()
                process.communicate()

    def finish(self) -> None:
        """Return when all is acknowledged. Raises BenchError when something was not."""
        for process in self._processes:
            try:
                _, errors = process.communicate(timeout=self._patience_s)
            except subprocess.TimeoutExpired:
                raise BenchError(f"storescu did not end in {self._patience_s:g} s") from None
            if process.returncode != 0:
                raise BenchError(f"storescu failed:\n{errors[-2000:]}")


def _patience_s(images: int) -> float:
    """How long to wait for what takes 0.1 s for each image if all is slow."""
    return 60.0 + images / 2
