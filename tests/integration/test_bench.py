"""The benchmark, small and without Orthanc, so that it still runs when somebody needs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
COMPARE = BENCH / "compare.py"
CODECS = BENCH / "codecs.py"
REST = BENCH / "rest.py"
BESIDE = BENCH / "beside.py"
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


@pytest.mark.long
def test_the_benchmark_of_the_codecs_measures_calls_pipeline_and_workers(tmp_path: Path):
    options = [
        "--only",
        "htj2k",
        "--frames",
        "3",
        "--seconds",
        "0.1",
        "--patience",
        "0",
        "--results",
    ]
    done = subprocess.run(
        [sys.executable, str(CODECS), *options, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (page,), (saved,) = tmp_path.glob("*.md"), tmp_path.glob("*.json")
    assert page.read_text().count("| htj2k | CT 16 | 3 |") == 1
    found = json.loads(saved.read_text())
    (codec,) = found["codecs"]
    assert codec["speeds"].keys() == {"encode", "decode", "check", "ratio"}
    assert [each["frames"] for each in found["costs"]] == [1, 3, 1, 3]
    for each in found["costs"]:
        assert all(run["piped"]["wall_s"] > 0 for run in each["rounds"])
        assert all(run["piped"]["cpu_s"] > 0 for run in each["rounds"])
    assert [each["what"] for each in found["workers"]] == ["40 files", "1 of 3 frames"]
    assert all(pair["two_s"] > 0 for each in found["workers"] for pair in each["pairs"])


@pytest.mark.long
@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("echoscu"), reason="DCMTK is not installed")
def test_the_benchmark_of_the_rest_interface_asks_every_route(tmp_path: Path):
    options = ["--rounds", "1", "--seconds", "0.1", "--without-orthanc", "--results"]
    done = subprocess.run(
        [sys.executable, str(REST), *options, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (saved,) = tmp_path.glob("*.json")
    measured = json.loads(saved.read_text())["results"]
    assert {each["clients"] for each in measured} == {1, 8}
    assert len({each["route"] for each in measured}) == 6
    assert all(rate > 0 for each in measured for rate in each["rates"])


@pytest.mark.long
@pytest.mark.peer
@pytest.mark.skipif(
    not (shutil.which("gdcmconv") and shutil.which("dcmodify")),
    reason="gdcmconv and dcmodify are not installed",
)
def test_the_benchmark_of_answers_measures_with_and_without_a_script():
    done = subprocess.run(
        [sys.executable, str(BESIDE), "--pairs", "1", "--images", "5", "--per-second", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    for row in ("| without the script |", "| with it |", "| ratio, of each pair |"):
        assert row in done.stdout
    assert "were converted until the last was answered" in done.stdout
