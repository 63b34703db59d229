"""What a benchmark ran on."""

import os
import platform
import subprocess
import tempfile
from pathlib import Path


def machine() -> dict[str, object]:
    """Processor, cores, kernel, file system and load."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.split(":")[1] for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "file system": first_line("stat", "--file-system", "-c", "%T", tempfile.gettempdir()),
        "load": round(os.getloadavg()[0], 1),
    }


def first_line(*command: str) -> str:
    """What a program says first."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]
