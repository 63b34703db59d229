"""What one transcoding may use, so that a hostile or huge image costs no more than itself."""

import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# The slowest codec does 15 MB a second each way, and results are decoded again: ten times that.
_CPU_SECONDS_PER_BYTE = 2.0 / (1 << 20)
_CPU_SECONDS_TO_BEGIN = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """memory_bytes: images that need more are refused. grant: is told, before the first frame goes
    through a codec, how many bytes all frames have in native form.
    """

    memory_bytes: int
    grant: Callable[[int], None]


def limit_memory(more_bytes: int) -> None:
    """Let this process use so much more than it has mapped now; and leave no core files."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def grant_cpu(native_bytes: int) -> None:
    """Give this process the CPU seconds that so many bytes of pixels may take, from now on.

    When they are used up, SIGPROF ends it.
    """
    # Not RLIMIT_CPU: it counts from the start of the process, by ticks, which drift from every
    # clock that can be read here by up to 15 %. It would end a process that has worked for long.
    seconds = _CPU_SECONDS_TO_BEGIN + native_bytes * _CPU_SECONDS_PER_BYTE
    signal.setitimer(signal.ITIMER_PROF, seconds)
