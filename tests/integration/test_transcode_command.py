"""`gateway transcode` with real codec processes: what appears in the folder, what is said."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_support import EXPLICIT, J2K, noise, samples_of, write_native
from pydicom.filereader import read_file_meta_info
from typer.testing import CliRunner
from waiting import wait_until

from gateway.cli import app
from gateway.codecs.batch import held

TWO_FRAMES, ONE_FRAME = (2, 16, 24), (1, 16, 24)


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Two images and a text, in folders; the working folder is around it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study/series").mkdir(parents=True)
    write_native(tmp_path / "study/1.dcm", noise(ONE_FRAME, "u2", 12), BitsStored=12)
    write_native(tmp_path / "study/series/2.dcm", noise(TWO_FRAMES, "u1"))
    (tmp_path / "study/notes.txt").write_text("not an image")
    return Path("study")


def gateway(*arguments: str | Path):
    result = CliRunner().invoke(app, ["transcode", *map(str, arguments), "--jobs", "1"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def syntax_of(path: Path) -> str:
    return str(read_file_meta_info(path).TransferSyntaxUID)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def too_deep(path: Path) -> Path:
    """An image that stays native: 32 bits."""
    return write_native(path, noise(ONE_FRAME, "u4"))


def cut_off(path: Path) -> Path:
    write_native(path, noise(ONE_FRAME, "u2"))
    path.write_bytes(path.read_bytes()[:-100])
    return path


# --- what is made --------------------------------------------------------------------------------


def test_a_folder_is_mirrored_and_every_sample_is_the_same(study):
    result = gateway(study, "--to", "j2k", "--out", "out")
    assert result.exit_code == 0
    assert tree(Path("out")) == ["1.dcm", "series/2.dcm"]
    for name in tree(Path("out")):
        assert syntax_of(Path("out", name)) == J2K
        np.testing.assert_array_equal(samples_of(Path("out", name)), samples_of(study / name))
    assert "JPEG2000Lossless      2" in result.output
    assert "1 file left out: not DICOM" in result.output


def test_the_next_run_makes_only_what_is_missing(study):
    gateway(study, "--to", "j2k", "--out", "out")
    before = Path("out/1.dcm").stat()
    Path("out/series/2.dcm").unlink()
    result = gateway(study, "--to", "j2k", "--out", "out")
    assert result.exit_code == 0
    assert "1 file there already" in result.output
    assert tree(Path("out")) == ["1.dcm", "series/2.dcm"]
    assert Path("out/1.dcm").stat().st_mtime_ns == before.st_mtime_ns
    assert gateway(study, "--to", "j2k", "--out", "out", "--overwrite").exit_code == 0
    assert Path("out/1.dcm").stat().st_ino != before.st_ino


def test_each_file_gets_the_best_syntax_that_it_allows(study):
    too_deep(study / "dose.dcm")
    result = gateway(study, "--to", "j2k,explicit", "--out", "out", "--report", "report.jsonl")
    assert result.exit_code == 0
    assert syntax_of(Path("out/1.dcm")) == J2K
    assert syntax_of(Path("out/dose.dcm")) == EXPLICIT
    assert "1 file passed on unchanged" in result.output
    lines = {line["file"]: line for line in report("report.jsonl")}
    assert lines["study/dose.dcm"]["ending"] == "unchanged"
    assert "more than 16 bits" in lines["study/dose.dcm"]["refusals"][0]


def test_a_lossless_result_is_not_verified_when_that_is_not_wanted(study):
    options = ("--to", "j2k", "--out", "out", "--report", "r")
    gateway(study / "1.dcm", *options)
    assert report("r")[0]["verified_by"]
    gateway(study / "1.dcm", *options, "--overwrite", "--no-verify")
    assert not report("r")[0]["verified_by"]


# --- what is not ---------------------------------------------------------------------------------


def test_failures_are_listed_with_their_reasons(study):
    too_deep(study / "dose.dcm")
    cut_off(study / "series/3.dcm")
    result = gateway(study, "--to", "j2k", "--out", "out", "--report", "report.jsonl")
    assert result.exit_code == 1
    assert "2 files failed" in result.output
    assert "samples of more than 16 bits stay native" in result.output
    assert tree(Path("out")) == ["1.dcm", "series/2.dcm"]
    failed = [line for line in report("report.jsonl") if line["ending"] == "failed"]
    assert {line["file"]: line["error_kind"] for line in failed} == {
        "study/dose.dcm": "transcode-unsupported",
        "study/series/3.dcm": "codec-failed",
    }


def test_what_cannot_be_transcoded_is_kept_when_that_is_wanted(study):
    dose, cut = too_deep(study / "dose.dcm"), cut_off(study / "series/3.dcm")
    result = gateway(study, "--to", "j2k", "--out", "out", "--on-failure", "keep")
    assert result.exit_code == 0
    assert "2 files kept as received" in result.output
    assert "samples of more than 16 bits stay native" in result.output
    assert Path("out/dose.dcm").read_bytes() == dose.read_bytes()
    assert Path("out/series/3.dcm").read_bytes() == cut.read_bytes()


def test_a_file_that_is_named_and_is_not_dicom_is_a_failure(study):
    result = gateway(study / "notes.txt", study / "1.dcm", "--to", "j2k", "--out", "out")
    assert result.exit_code == 1
    assert "not a DICOM file" in result.output
    assert tree(Path("out")) == ["1.dcm"]


def test_a_folder_that_cannot_be_read_is_a_failure_and_the_others_are_made(study, monkeypatch):
    scandir = os.scandir

    def denied(path):
        if path == study / "series":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    result = gateway(study, "--to", "j2k", "--out", "out")
    assert result.exit_code == 1
    assert "study/series" in result.output
    assert "Permission denied" in result.output
    assert tree(Path("out")) == ["1.dcm"]


# --- what is said --------------------------------------------------------------------------------


def report(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_neither_summary_nor_report_tells_anything_of_the_patient(study):
    cut_off(study / "3.dcm")
    result = gateway(study, "--to", "j2k", "--out", "out", "--report", "report.jsonl")
    said = result.output + Path("report.jsonl").read_text()
    assert "Jörg" not in said
    assert "J\\u00f6rg" not in said


def test_the_summary_is_given_as_json(study):
    too_deep(study / "dose.dcm")
    result = gateway(study, "--to", "j2k", "--out", "out", "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 1
    [made] = summary["made"]
    assert (made["syntax"], made["files"]) == ("JPEG2000Lossless", 2)
    assert made["bytes_after"] == sum(
        Path("out", name).stat().st_size for name in tree(Path("out"))
    )
    endings = {ending: files for ending, files in summary["endings"].items() if files}
    assert endings == {"made": 2, "not-dicom": 1, "failed": 1}
    assert summary["first_failures"][0]["file"] == "study/dose.dcm"


ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
COMMAND = [sys.executable, "-m", "gateway", "transcode"]


def test_without_a_terminal_there_are_plain_lines_only(study):
    done = subprocess.run(
        [*COMMAND, "study", "--to", "j2k", "--out", "out", "--jobs", "1"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert all(character.isprintable() for character in done.stdout.replace("\n", ""))


def test_a_terminal_shows_the_progress(study):
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, "study", "--to", "j2k", "--out", "out", "--jobs", "1"],
            env=ENVIRONMENT | {"TERM": "xterm"}, stdout=subprocess.DEVNULL, stderr=theirs,
            timeout=60, check=True,
        )  # fmt: skip
        os.close(theirs)
        assert b"transcoding" in os.read(ours, 1 << 16)
    finally:
        os.close(ours)


# --- when it is ended ----------------------------------------------------------------------------

IMAGES = [f"{number}.dcm" for number in range(5)]


@pytest.fixture(scope="module")
def slow_study(tmp_path_factory) -> Path:
    """Images that take a codec process a tenth of a second each."""
    folder = tmp_path_factory.mktemp("slow")
    for name in IMAGES:
        write_native(folder / name, noise((1, 512, 768), "u2"))
    return folder


def end_in_the_middle(study: Path, out: Path, number: signal.Signals) -> tuple[int, str]:
    """Start a run, and end it when one result is there and the next is half made.

    Again, when it was done before we noticed: others may use this machine, too.
    """
    for _ in range(10):
        code, output = end_when_in_the_middle(study, out, number)
        if code != 0:
            return code, output
        shutil.rmtree(out)
    raise AssertionError("it is always done before it can be ended")


def end_when_in_the_middle(study: Path, out: Path, number: signal.Signals) -> tuple[int, str]:
    command = [*COMMAND, str(study), "--to", "j2k", "--out", str(out), "--jobs", "1"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        wait_until(lambda: run.poll() is not None or is_in_the_middle(out), 60)
        run.send_signal(number)
        output, _ = run.communicate(timeout=60)
    return run.returncode, output


def is_in_the_middle(out: Path) -> bool:
    names = [path.name for path in out.glob("*")]
    return 0 < len(set(names) & set(IMAGES)) < len(IMAGES) and any(parts(out))


def parts(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.name not in IMAGES]


def assert_all_right(study: Path, out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == IMAGES
    for name in IMAGES:
        np.testing.assert_array_equal(samples_of(out / name), samples_of(study / name))


def test_after_a_kill_the_next_run_goes_on_and_cleans_up(slow_study, tmp_path):
    out = tmp_path / "out"
    code, _ = end_in_the_middle(slow_study, out, signal.SIGKILL)
    assert code == -signal.SIGKILL
    whole = {path.name: path.stat().st_mtime_ns for path in out.glob("*.dcm")}
    result = gateway(slow_study, "--to", "j2k", "--out", out)
    assert result.exit_code == 0
    assert f"{len(whole)} file" in result.output
    assert_all_right(slow_study, out)
    assert {name: (out / name).stat().st_mtime_ns for name in whole} == whole


def test_ctrl_c_says_how_far_it_got_and_leaves_whole_files_only(slow_study, tmp_path):
    out = tmp_path / "out"
    code, output = end_in_the_middle(slow_study, out, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in output
    made = len(tree(out))
    assert f"interrupted after {made} of 5 files" in output
    assert parts(out) == []
    assert gateway(slow_study, "--to", "j2k", "--out", out).exit_code == 0
    assert_all_right(slow_study, out)


def test_two_runs_do_not_write_to_one_folder(slow_study, tmp_path):
    out = tmp_path / "out"
    with held(out):
        result = gateway(slow_study / IMAGES[0], "--to", "j2k", "--out", out)
    assert result.exit_code == 1
    assert result.stderr == f"gateway: another gateway transcode writes to {out}\n"
