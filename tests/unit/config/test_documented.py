"""The example and the documentation say what is true of every key, its default included."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from gateway.config.models import (
    Caller,
    Configuration,
    Destination,
    DictionaryEntry,
    Follow,
    Peer,
    Rest,
    UserAttachment,
)
from gateway.config.schema import keys
from gateway.config.transcoding import OPTIONS, TranscodeSettings

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "gateway.example.toml").read_text(encoding="utf-8")
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

# A commented key or table has its # right before it; a sentence has a space between.
UNCOMMENTED = re.sub(r"^#(?=[\[a-z])", "", EXAMPLE, flags=re.MULTILINE)
REQUIRED = {
    "dicom.callers.aet",
    "http.users.NAME",
    "rest.metadata.NAME",
    "rest.attachments.NAME.number",
    "orthanc.NAME",
    "follow.url",
    "peers.NAME.url",
    "peers.NAME.headers.NAME",
    "peers.NAME.properties.NAME",
    "dictionary.NAME.name",
    "dictionary.NAME.vr",
} | {f"destinations.NAME.{key}" for key in ("aet", "host", "port")}
# Keys without a value of their own: what the document tells instead, and what the example shows.
LEFT_OUT = (
    {"destinations.NAME.calling_aet": "dicom.aet"}
    | {f"destinations.NAME.transcode.{option}": f"codecs.{option}" for option in OPTIONS}
    | dict.fromkeys(
        (
            "codecs.ratio",
            "codecs.max_error",
            "codecs.photometric",
            "codecs.minimum_psnr_db",
            "http.certificate",
            "http.private_key",
            "store.transcode.to",
            "follow.username",
            "follow.trusted_certificates",
            "peers.NAME.username",
            "peers.NAME.certificate",
            "peers.NAME.private_key",
        ),
        "none",
    )
    | {"codecs.quality": "90", "follow.name": "url"}
)
# Names that the site chooses.
CHOSEN = (
    r"(?<=destinations\.)archive|(?<=attachments\.)report|(?<=metadata\.)checked-by|alice|myOption"
    r"|(?<=peers\.)branch|(?<=headers\.)token|(?<=properties\.)city|00e1,c2"
)
SETS = {"dicom.callers.allow", "dicom.unknown_callers_may"}
CERTIFICATE = {"certificate": "crt", "private_key": "key"}
SHOWN = {"quality": 90, "ratio": 10, "max_error": 2, "photometric": "RGB", "minimum_psnr_db": 40}


def flattened(tree: Any, name: str = "") -> Iterator[str]:
    """The keys of a TOML document, written as schema.keys() writes them."""
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        tree = tree[0]
    if not isinstance(tree, dict):
        yield re.sub(CHOSEN, "NAME", name)
        return
    for key, value in tree.items():
        yield from flattened(value, f"{name}.{key}".lstrip("."))


def documented() -> dict[str, str]:
    """Key -> default, from the tables of the document: under a section, rows of key and default."""
    found, section = {}, ""
    for line in DOCUMENT.splitlines():
        if line.startswith("#"):
            heading = re.search(r"`\[+([\w.]+)\]+`", line)
            section = heading[1] if heading else ""
        elif section and (row := re.match(r"\| `(\w+)` \| (.+?) \|", line)):
            found[f"{section}.{row[1]}"] = row[2].strip("`")
    return found


def default_of(key: str) -> Any:
    """The default of a key as a TOML or JSON value."""
    node: Any = Configuration(
        destinations={"NAME": Destination(aet="A", host="h", port=1)},
        peers={"NAME": Peer(url="http://h/")},
        dictionary={"0014,1020": DictionaryEntry(name="A", vr="LO")},
        rest=Rest(attachments={"NAME": UserAttachment(number=1024)}),
    ).model_dump(mode="json")
    node["dictionary"]["NAME"] = node["dictionary"].pop("0014,1020")
    node["follow"] = Follow(url="http://h/").model_dump(mode="json")
    node["dicom"]["callers"] = Caller(aet="A").model_dump(mode="json")
    for part in key.split("."):
        node = node[part]
    return sorted(node) if key in SETS else node


def test_the_example_as_it_stands_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(EXAMPLE, encoding="utf-8")
    assert load(tmp_path / "gateway.toml", {}) == Configuration()


def test_the_example_names_every_key_and_no_other():
    assert sorted(flattened(tomllib.loads(UNCOMMENTED))) == sorted(keys())


def test_the_example_shows_the_defaults(tmp_path):
    (tmp_path / "gateway.toml").write_text(UNCOMMENTED, encoding="utf-8")
    shown = load(tmp_path / "gateway.toml", {})
    archive = Destination(
        aet="ARCHIVE", host="archive.example", port=104, calling_aet="GATEWAY",
        transcode=TranscodeSettings(**{name: getattr(shown.codecs, name) for name in OPTIONS}),
    )  # fmt: skip
    assert shown.destinations == {"archive": archive}
    assert shown.dicom.callers == (Caller(aet="CT1"),)
    assert shown.http.users["alice"].get_secret_value() == "her password"
    assert shown.rest == Rest(
        metadata={"checked-by": 1024}, attachments={"report": UserAttachment(number=1024)}
    )
    folders = {"store": tmp_path / "data", "scripts": tmp_path / "scripts"}
    for section in ("dicom", "store", "scripts", "codecs", "retry", "http", "log"):
        given = getattr(shown, section).model_dump(exclude={"callers", "users"})
        default = getattr(Configuration(), section).model_dump(exclude={"callers", "users"})
        if section in folders:
            default["folder"] = folders[section]
        if section == "store":
            default["transcode"]["to"] = "JPEG2000Lossless"
        if section == "codecs":
            default |= SHOWN
        if section == "http":
            default |= {name: tmp_path / f"gateway.{end}" for name, end in CERTIFICATE.items()}
        assert given == default


def test_the_document_explains_every_key_and_no_other():
    assert sorted(documented()) == sorted(keys())


@pytest.mark.parametrize("key", sorted(set(keys()) - REQUIRED))
def test_the_document_tells_the_default(key):
    told = documented()[key]
    if default_of(key) is None:
        assert told == LEFT_OUT[key]
    else:
        assert tomllib.loads(f"value = {told}")["value"] == default_of(key)


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_the_document_tells_what_is_required(key):
    assert documented()[key] == "required"


def toml_examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", DOCUMENT, flags=re.DOTALL)


@pytest.mark.parametrize("example", toml_examples())
def test_every_example_of_the_document_is_right(tmp_path, example):
    (tmp_path / "gateway.toml").write_text(example, encoding="utf-8")
    load(tmp_path / "gateway.toml", {})


def test_every_variable_that_the_document_shows_is_right():
    shown = re.findall(r"^(GATEWAY_\w+__\w+)=(.*)$", DOCUMENT, flags=re.MULTILINE)
    assert len(shown) > 3
    load(None, {name: value.strip("'") for name, value in shown})


def test_the_check_that_the_document_shows_is_what_is_printed(tmp_path):
    (wrong,) = re.findall(r"```toml wrong\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    (shown,) = re.findall(
        r"\$ gateway check --config gateway.toml\n(fault.*?)\$", DOCUMENT, re.DOTALL
    )
    (tmp_path / "gateway.toml").write_text(wrong, encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "route.lua").write_text("function OnStoredInstance(instanceId\nend\n")
    others = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--config", "gateway.toml"],
        cwd=tmp_path, env={**others, "GATEWAY_LOG__LEVEL": "loud"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == shown
    assert done.returncode == 1
