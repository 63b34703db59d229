"""docs/scripting.md tells of everything that a script may define, call and set."""

import re
from pathlib import Path

import pytest
from scripting_support import load, make_event, on_stored_instance

from gateway.scripting import outside, primitives
from gateway.scripting.callbacks import CALLBACKS
from gateway.scripting.header import KEYS
from gateway.scripting.options import OF_FORWARD, OF_TRANSCODE

SIGNATURES = (*primitives.SIGNATURES, *outside.SIGNATURES)
TEXT = (Path(__file__).parents[2] / "docs" / "scripting.md").read_text("utf-8")
# What is alike has one section: "### `OnStableSeries(...)`, `OnStableStudy(...)`".
SECTIONS = {
    signature: match[2]
    for match in re.finditer(r"^### (`[^\n]*`)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    for signature in re.findall(r"`(.*?)`", match[1])
}
EXAMPLES = re.findall(r"```lua\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("signature", [*(c.signature for c in CALLBACKS), *SIGNATURES])
def test_every_callback_and_primitive_has_a_section_with_context_errors_and_an_example(signature):
    section = SECTIONS[signature]

    assert "Context" in section
    assert "rror" in section
    assert "```lua" in section


def test_no_section_describes_what_is_not_there():
    assert set(SECTIONS) == {*(c.signature for c in CALLBACKS), *SIGNATURES}


def test_every_argument_of_a_callback_is_explained():
    for callback in CALLBACKS:
        for argument in callback.arguments:
            assert f"| `{argument}` |" in SECTIONS[callback.signature]


def test_every_key_of_the_header_is_explained():
    for key in KEYS:
        assert f"| `{key}` |" in TEXT


@pytest.mark.parametrize(
    ("signature", "options"),
    [("Transcode(id, syntax, options)", OF_TRANSCODE),
     ("Forward(id, destination, options)", OF_FORWARD)],
)  # fmt: skip
def test_every_option_of_a_primitive_is_explained_and_no_other(signature, options):
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS[signature], re.MULTILINE)

    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(options)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs(example):
    if "function " not in example and not example.startswith("-- gateway"):
        example = (
            "function OnStoredInstance(instanceId, tags, metadata, origin)\n" + example + "\nend"
        )
    loaded = load(example, destinations=["archive", "pacs", "research"], peers=["cloud"])
    if "OnStoredInstance" in loaded.callbacks:
        on_stored_instance(loaded, make_event(), {"Modality": "CT"})
    loaded.finalize()
