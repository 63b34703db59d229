"""Every route that Orthanc describes is here, has a place, or is named among the differences."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from orthanc_peer import ENVIRONMENT, ORTHANC

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences-from-orthanc.md"
# It asks a server on the Internet for the examples of its description, and waits if there is none.
OFFLINE = ENVIRONMENT | dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")
METHODS = ("get", "put", "post", "delete")


def operations_in(description: dict) -> set[tuple[str, str]]:
    """Method and path of each operation of an OpenAPI description."""
    return {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method in operations
        if method in METHODS
    }


@pytest.fixture
def described_by_orthanc(tmp_path):
    described = tmp_path / "orthanc.json"
    command = [ORTHANC, f"--openapi={described}"]
    subprocess.run(command, check=True, capture_output=True, env=OFFLINE, timeout=60)
    return operations_in(json.loads(described.read_text()))


@pytest.fixture
def is_described_by_us(gateway_api):
    """Whether we describe a method and a path; {rest} stands for all that may follow."""
    ours = [
        (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path.replace("{rest}", ".+"))))
        for method, path in operations_in(gateway_api.get_json("/openapi.json"))
    ]

    def is_described(method: str, path: str) -> bool:
        return any(method == each and known.fullmatch(path) for each, known in ours)

    return is_described


def test_no_route_of_orthanc_is_forgotten(described_by_orthanc, is_described_by_us):
    assert len(described_by_orthanc) > 200
    named = DIFFERENCES.read_text()
    missing = [
        f"{method} {path}"
        for method, path in described_by_orthanc
        if not is_described_by_us(method, path) and f"`{method} {path}`" not in named
    ]
    assert missing == []


def test_what_is_not_offered_yet_is_named_among_the_differences(gateway_api):
    named = DIFFERENCES.read_text()
    paths = gateway_api.get_json("/openapi.json")["paths"]
    later = {
        operation["summary"].partition(": ")[2]
        for operations in paths.values()
        for operation in operations.values()
        if operation["summary"].startswith("Not there yet: ")
    }
    assert later
    assert [what for what in later if what not in named] == []
