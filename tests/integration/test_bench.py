"""The benchmark, small and without Orthanc, so that it still runs when somebody needs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = Path(__file__).parents[2] / "bench" / "compare.py"
IMAGES = 8


@pytest.mark.long
@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("storescu"), reason="DCMTK is not installed")
def test_the_benchmark_measures_every_workload_and_writes_the_results(tmp_path: Path):
    options = f"--images {IMAGES} --pairs 1 --without-orthanc --json --results".split()
    done = subprocess.run(
        [sys.executable, str(COMPARE), *options, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    workloads = json.loads(done.stdout)["workloads"]
    assert [each["name"] for each in workloads] == ["receive1", "receive4", "route"]
    for each in workloads:
        ((run,),) = each["pairs"]
        assert run["server"] == "gateway"
        assert run["images"] == IMAGES
        assert run["elapsed_s"] > 0
    (page,), (saved,) = tmp_path.glob("*.md"), tmp_path.glob("*.json")
    assert page.read_text().count("| gateway |") == len(workloads)
    assert json.loads(saved.read_text())["workloads"] == workloads
