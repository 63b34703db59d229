"""Every sample is without fault, samples/README.md tells the truth of it, and two of them plan what
their first lines say. For what the others do, see tests/integration/test_sample_scripts.py.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from scripting_support import INSTANCE_ID, load, make_event, on_stored_instance

from gateway.config.models import Configuration, Scripts
from gateway.dicom.syntaxes import lookup
from gateway.model import Action
from gateway.scripting.check import check_folder

FOLDER = Path(__file__).parents[2] / "samples"
SAMPLES = FOLDER / "lua"
EVERY = sorted(FOLDER.rglob("*.lua"))
# | [Name](path) | what it shows | callbacks | functions |
TABLE = dict(
    re.findall(r"^\| \[.*?\]\((.*?)\) \| (.*) \|$", (FOLDER / "README.md").read_text(), re.M)
)
JPEG = "1.2.840.10008.1.2.4.50"
EXPLICIT_LE, J2K_LOSSLESS, J2K = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
)  # fmt: skip


def per_destination():
    source = (SAMPLES / "SyntaxPerDestination.lua").read_text()
    return load(source, name="SyntaxPerDestination.lua", destinations=["archive", "teaching"])


def compression(**replaced: str):
    source = (SAMPLES / "AutomatedJpeg2kCompression.lua").read_text()
    for setting, value in replaced.items():
        source = source.replace(f"local {setting} = false", f"local {setting} = {value}")
    return load(source, name="AutomatedJpeg2kCompression.lua")


@pytest.mark.parametrize("folder", [SAMPLES, SAMPLES / "legacy", FOLDER / "orthanc"])
def test_no_sample_has_a_fault(folder):
    assert check_folder(folder, Scripts()) == []


@pytest.fixture(scope="module")
def examined() -> Callable[[Path], Any]:
    from gateway.trial.examine import examine_scripts

    return cache(lambda path: examine_scripts([path], Configuration(), knows_remotes=False))


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_no_sample_uses_what_is_not_there(examined, path):
    found = examined(path)

    assert not found.would_break, found.findings
    assert {each.status for each in found.used} <= {""}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.lua")), ids=lambda path: path.stem)
def test_the_table_of_samples_names_the_callbacks_and_functions_of_each(examined, path):
    used = examined(path).used
    callbacks, functions = TABLE[f"lua/{path.name}"].split(" | ")[-2:]

    assert names(callbacks) == {each.name for each in used if each.kind == "callback"}
    assert names(functions) == {each.name for each in used if each.kind == "function"}


def names(cell: str) -> set[str]:
    return set(re.findall(r"`(.*?)`", cell))


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.lua")), ids=lambda path: path.stem)
def test_a_sample_says_whether_it_runs_in_orthanc(path):
    has_own_steps = re.search(r"\b(Transcode|transcode_ladder)\(", path.read_text())

    assert ("-- In Orthanc: " in path.read_text()) is not bool(has_own_steps)


def test_an_image_is_compressed_and_its_result_forwarded():
    event = make_event(1, TransferSyntax=EXPLICIT_LE)

    transcode, forward = on_stored_instance(compression(), event, {})

    assert (transcode.action, transcode.subject) == (Action.TRANSCODE, INSTANCE_ID)
    assert transcode.parameters == {
        "ladder": [J2K_LOSSLESS], "replace": False, "on_failure": "keep",
    }  # fmt: skip
    assert (forward.action, forward.result_of, forward.destination) == (
        Action.FORWARD, 1, "archive",
    )  # fmt: skip


def test_the_stored_image_is_replaced_when_the_setting_says_so():
    event = make_event(1, TransferSyntax=EXPLICIT_LE)

    transcode, _ = on_stored_instance(compression(REPLACE_STORED="true"), event, {})

    assert transcode.parameters["replace"] is True


@pytest.mark.parametrize("syntax", [J2K_LOSSLESS, J2K])
def test_what_is_jpeg_2000_already_is_forwarded_as_it_is(syntax):
    (forward,) = on_stored_instance(compression(), make_event(1, TransferSyntax=syntax), {})

    assert (forward.action, forward.subject) == (Action.FORWARD, INSTANCE_ID)


def test_the_archive_gets_everything_without_loss():
    archive, _teaching = on_stored_instance(per_destination(), make_event(1), {"Modality": "US"})

    assert archive.destination == "archive"
    rungs = [rung for rung in archive.parameters["ladder"] if rung != "*"]
    assert not any(lookup(rung).lossy for rung in rungs)
    assert archive.parameters["ladder"][-1] == "*"


@pytest.mark.parametrize(("modality", "may_lose"), [("US", True), ("CT", False), (None, False)])
def test_the_teaching_collection_gets_jpeg_of_what_may_lose(modality, may_lose):
    _archive, teaching = on_stored_instance(
        per_destination(), make_event(1), {"Modality": modality} if modality else {}
    )

    assert (JPEG in teaching.parameters["ladder"]) is may_lose
    assert teaching.parameters.get("options") == ({"quality": 85} if may_lose else None)
