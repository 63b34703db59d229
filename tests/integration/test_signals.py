"""A gateway that is told to stop stops, whichever of its threads the system tells."""

import ctypes
import signal
from pathlib import Path

import pytest
from gateway_process import GatewayProcess
from waiting import wait_until

_libc = ctypes.CDLL(None)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_gets_ends_it_as_well(tmp_path: Path, number: signal.Signals):
    """It happens when a thread starts a command of a script at that moment."""
    with GatewayProcess(tmp_path) as gateway:
        threads = {int(task.name) for task in Path(f"/proc/{gateway.pid}/task").iterdir()}
        other = min(threads - {gateway.pid})
        assert _libc.tgkill(gateway.pid, other, number) == 0
        wait_until(lambda: not gateway.is_running)
        assert gateway.events("gateway stopping")
