"""Memory stays flat over many events; a week of them is `make soak`."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[1] / "soak.py"


@pytest.mark.slow
def test_events_leave_memory_index_and_log_as_small_as_they_were():
    """In a process of its own: what tests before have left must not be what it grows into."""
    done = subprocess.run(
        [sys.executable, str(SOAK), "--in-memory", "20000", "--in-gateway", "1000"],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("memory grew by") == 2
