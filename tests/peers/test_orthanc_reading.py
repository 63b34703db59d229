"""What only reads: the same request to Orthanc and to the gateway, the same answer."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from images import made_ct, save
from orthanc_peer import ORTHANC, Pair, Request, pair_running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

BUNDLED = Path(pydicom.__file__).parent / "data"
FILES = [
    BUNDLED / "test_files" / name
    for name in ("CT_small.dcm", "MR_small.dcm", "SC_rgb.dcm")
    if (BUNDLED / "test_files" / name).exists()
]
# Sizes differ by the file meta information, which each server writes itself.
SIZES = dict.fromkeys(
    ["FileSize", "DiskSize", "UncompressedSize", "DicomDiskSize", "DicomUncompressedSize",
     "TotalDiskSize", "TotalUncompressedSize", "CompressedSize", "CompressedMD5",
     "UncompressedMD5", "PixelDataOffset"],
    "each server writes the file meta information itself",
)  # fmt: skip
MOMENTS = dict.fromkeys(["LastUpdate", "ReceptionDate", "Date"], "the clock went on")
NAMES = dict.fromkeys(["FileUuid", "Uuid"], "random in Orthanc")
UNLIKE = SIZES | MOMENTS | NAMES

LEVELS = ("patients", "studies", "series", "instances")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    series = [save(made_ct(number), folder / f"{number}.dcm") for number in (1, 2, 3)]
    with pair_running(folder) as both:
        both.upload([*series, *FILES])
        yield both


@pytest.mark.parametrize("level", LEVELS)
def test_lists_are_alike(pair: Pair, level: str) -> None:
    ours, theirs = (
        server.client.get(f"/{level}").json() for server in (pair.gateway, pair.orthanc)
    )
    assert sorted(ours) == sorted(theirs)


@pytest.mark.parametrize("level", LEVELS)
def test_each_resource_is_told_alike(pair: Pair, level: str) -> None:
    for each in pair.orthanc.client.get(f"/{level}").json():
        pair.assert_alike(Request("GET", f"/{level}/{each}", unlike=UNLIKE))


@pytest.mark.parametrize(
    "view",
    ["tags", "tags?simplify", "tags?short", "simplified-tags", "content", "frames", "metadata",
     "attachments", "statistics", "module", "module?simplify", "patient", "study", "series"],
)  # fmt: skip
def test_each_instance_is_seen_alike(pair: Pair, view: str) -> None:
    for each in pair.orthanc.client.get("/instances").json():
        pair.assert_alike(Request("GET", f"/instances/{each}/{view}", unlike=UNLIKE))


@pytest.mark.parametrize(
    "path",
    ["/nope", "/instances/nope", "/instances/nope/tags", "/studies/nope", "/jobs/nope",
     "/modalities/nope", "/peers/nope", "/instances/../system"],
)  # fmt: skip
def test_what_is_not_there_is_answered_alike(pair: Pair, path: str) -> None:
    theirs, ours = (server.client.get(path) for server in (pair.orthanc, pair.gateway))
    assert ours.status_code == theirs.status_code


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/instances", "/tools/now", "/system"])
def test_wrong_methods_are_answered_alike(pair: Pair, method: str, path: str) -> None:
    theirs, ours = (server.client.request(method, path) for server in (pair.orthanc, pair.gateway))
    assert ours.status_code == theirs.status_code
