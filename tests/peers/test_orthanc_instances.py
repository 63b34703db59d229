"""Resources, uploads, tags, frames and elements: the same to Orthanc and to the gateway."""

import gzip
import io
import re
import zipfile
from collections.abc import Iterator

import pytest
from images import made_ct
from orthanc_peer import ORTHANC, Pair, Request, assert_same, pair_running
from pydicom import Dataset
from rest_support import bundled, file_bytes

from gateway.dicom.incoming import look_at

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

UNLIKE = {
    "LastUpdate": "the clock went on",
    "IsStable": "a matter of time",
    "FileSize": "each server writes the file meta information itself",
    "FileUuid": "random in Orthanc",
    "Details": "told in words of our own",
    "ReceptionDate": "the clock went on",
    **dict.fromkeys(
        [
            "PixelDataOffset",
            "DicomDiskSize",
            "DicomUncompressedSize",
            "DiskSize",
            "UncompressedSize",
        ],
        "each server writes the file meta information itself",
    ),
}
# With private elements, sequences, character sets, lossy and lossless frames, and no frames.
FILES = (
    "CT_small.dcm", "693_J2KI.dcm", "SC_rgb_rle_2frame.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm", "rtplan.dcm", "waveform_ecg.dcm",
    "chrArab.dcm", "chrFren.dcm", "chrGerm.dcm", "chrGreek.dcm", "chrHbrw.dcm",
    "chrRuss.dcm", "chrH31.dcm", "chrI2.dcm", "chrX1.dcm", "chrX2.dcm",
)  # fmt: skip
UID = "1.2.826.0.1.3680043.10"


def made() -> list[Dataset]:
    """A patient with two studies, three series and four instances."""
    item = Dataset()
    item.CodeValue = "T-D1100"
    images = [
        made_ct(1, ImagesInAcquisition="2", NumberOfTemporalPositions="1",
                AnatomicRegionSequence=[item], ImageComments="x" * 300),
        made_ct(2),
        made_ct(3, SeriesInstanceUID=f"{UID}.3.2", CardiacNumberOfImages="0"),
        made_ct(4, StudyInstanceUID=f"{UID}.2.2", SeriesInstanceUID=f"{UID}.3.3"),
    ]  # fmt: skip
    for image in images:
        image.StudyDescription = "the same for all: Orthanc looks at any of them"
        image.add_new(0x00090010, "LO", "GEMS_IDEN_01")
        image.add_new(0x00091001, "LO", "known")
        image.add_new(0x00091055, "UN", b"\0\1\2\3")
    return images


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with pair_running(folder, OverwriteInstances=False) as both:
        for body in [*map(file_bytes, made()), *(bundled(name).read_bytes() for name in FILES)]:
            assert_alike(both, Request("POST", "/instances", content=body, unlike=UNLIKE))
        yield both


def assert_alike(pair: Pair, request: Request) -> None:
    """The same answer; Orthanc does not say of a refusal that it is JSON."""
    theirs, ours = pair.orthanc.ask(request), pair.gateway.ask(request)
    if theirs.status_code >= 400 and theirs.content:
        theirs.headers["Content-Type"] = "application/json"
    if BELOW.match(request.path) and theirs.status_code == 200:
        # Orthanc lists what is two levels below in no order that one could name.
        left, right = ({each["ID"] for each in answer.json()} for answer in (ours, theirs))
        assert left == right
    else:
        assert_same(request, theirs, ours)


BELOW = re.compile(r"/(patients|studies)/[^/]+/(series|instances)(\?|$)")


def get(path: str) -> Request:
    return Request("GET", path, unlike=UNLIKE)


def ids(pair: Pair, level: str) -> list[str]:
    return pair.orthanc.ask(get(f"/{level}")).json()


LISTS = ("", "?since=1&limit=2", "?since=0&limit=0", "?limit=2", "?since=2", "?expand",
         "?since=0&limit=2&expand", "?expand&full", "?expand&short")  # fmt: skip


@pytest.mark.parametrize("level", ["patients", "studies", "series", "instances"])
@pytest.mark.parametrize("query", LISTS)
def test_lists(pair: Pair, level: str, query: str) -> None:
    assert_alike(pair, get(f"/{level}{query}"))


RESOURCES = {
    "patients": ("studies", "series", "instances", "studies?full", "module", "module?simplify",
                 "statistics", "protected", "instances-tags", "shared-tags",
                 "shared-tags?simplify", "shared-tags?short", "patient"),
    "studies": ("patient", "series", "instances", "module", "module-patient?short", "statistics",
                "instances-tags?simplify", "shared-tags?simplify", "studies"),
    "series": ("patient", "study", "instances", "module?simplify", "statistics", "module-patient",
               "instances-tags?short", "shared-tags", "protected"),
    "instances": ("patient", "study", "series", "module", "statistics", "shared-tags",
                  "instances"),
}  # fmt: skip


@pytest.mark.parametrize("level", RESOURCES)
def test_resources_and_what_is_around_them(pair: Pair, level: str) -> None:
    for resource_id in ids(pair, level):
        for path in ("", "?full", "?short", *(f"/{each}" for each in RESOURCES[level])):
            assert_alike(pair, get(f"/{level}/{resource_id}{path}"))


@pytest.mark.parametrize("level", RESOURCES)
def test_unknown_ids(pair: Pair, level: str) -> None:
    for path in ("", *(f"/{each}" for each in RESOURCES[level])):
        assert_alike(pair, get(f"/{level}/nobody{path}"))
    assert_alike(pair, Request("DELETE", f"/{level}/nobody"))
    assert_alike(pair, Request("POST", f"/{level}/nobody/reconstruct", json={}))


NOWHERE = ("/nope", "/jobs/nope", "/modalities/nope", "/peers/nope", "/instances/../system")


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there(pair: Pair, path: str) -> None:
    assert_answered_alike(pair, "GET", path)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/instances", "/tools/now", "/system"])
def test_wrong_methods(pair: Pair, method: str, path: str) -> None:
    assert_answered_alike(pair, method, path)


def assert_answered_alike(pair: Pair, method: str, path: str) -> None:
    """The same status."""
    theirs, ours = (server.client.request(method, path) for server in (pair.orthanc, pair.gateway))
    assert ours.status_code == theirs.status_code


TAGS = ("tags", "tags?simplify", "tags?short", "simplified-tags",
        "tags?simplify&ignore-length=ImageComments", "tags?ignore-length=0020-4000,0010-0010",
        "content")  # fmt: skip


def test_tags(pair: Pair) -> None:
    for instance_id in ids(pair, "instances"):
        for path in TAGS:
            assert_alike(pair, get(f"/instances/{instance_id}/{path}"))


def test_metadata_and_attachments(pair: Pair) -> None:
    """Orthanc also notes the place of an instance whose number is empty."""
    for instance_id in ids(pair, "instances"):
        assert_alike(pair, get(f"/instances/{instance_id}/attachments"))
        if pair.orthanc.ask(get(f"/instances/{instance_id}/content/InstanceNumber")).content:
            assert_alike(pair, get(f"/instances/{instance_id}/metadata"))
            assert_alike(pair, get(f"/instances/{instance_id}/metadata?expand"))


CONTENT = ("0010-0010", "PatientName", "0008,0018", "00280010", "0008-2218", "0008-2218/0",
           "0008-2218/0/CodeValue", "0008-2218/0/0010-0010", "0008-2218/1", "0008-2218/x",
           "0010-0010/0", "0010-9999", "7fe0-0010", "7fe0-0010/0", "7fe0-0010/1",
           "7fe0-0010/9")  # fmt: skip


def test_elements(pair: Pair) -> None:
    for instance_id in ids(pair, "instances"):
        for path in CONTENT:
            assert_alike(pair, get(f"/instances/{instance_id}/content/{path}"))


def test_frames(pair: Pair) -> None:
    for instance_id in ids(pair, "instances"):
        pixels = pair.orthanc.ask(get(f"/instances/{instance_id}/content/7fe0-0010"))
        if pixels.status_code == 404:
            continue  # where Orthanc lists a frame that it cannot give
        for path in ("frames", "frames/0/raw", "frames/1/raw", "frames/99/raw", "frames/-1/raw"):
            assert_alike(pair, get(f"/instances/{instance_id}/{path}"))


def test_files_differ_in_their_meta_information_only(pair: Pair) -> None:
    for instance_id in ids(pair, "instances"):
        path = f"/instances/{instance_id}/file"
        answers = [server.ask(get(path)) for server in (pair.orthanc, pair.gateway)]
        kinds = [answer.headers["Content-Type"] for answer in answers]
        assert kinds == ["application/dicom"] * 2
        files = [answer.content for answer in answers]
        left, right = (file[look_at(file).data_set_offset :] for file in files)
        assert left == right


def zipped(*members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, member in enumerate(members):
            archive.writestr(f"{number}.dcm", member)
    return buffer.getvalue()


def form(*files: bytes) -> tuple[bytes, dict[str, str]]:
    parts = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n%b\r\n' % file
        for file in files
    )
    return parts + b"--XX--\r\n", {"Content-Type": "multipart/form-data; boundary=XX"}


NEW = [file_bytes(made_ct(number, PatientID="NEW")) for number in range(20, 30)]
GZIP = {"Content-Encoding": "gzip"}
UPLOADS = {
    "nothing": (b"", {}),
    "junk": (b"junk", {}),
    "cut off": (NEW[0][:500], {}),
    "cut off in the pixels": (NEW[0][:-10], {}),
    "no identifiers": (file_bytes(made_ct(1, StudyInstanceUID=None)), {}),
    "gzip": (gzip.compress(NEW[1]), GZIP),
    "gzip, not said": (gzip.compress(NEW[2]), {}),
    "zip": (zipped(NEW[3], b"junk", NEW[4], b""), {}),
    "zip without images": (zipped(b"junk"), {}),
    "no zip": (b"PK\x03\x04 junk", {}),
    "form": form(NEW[5], NEW[6]),
    "form with a zip": form(zipped(NEW[7])),
    "form with junk": form(b"junk"),
    "as JSON": (NEW[8], {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_uploads(pair: Pair, name: str) -> None:
    body, headers = UPLOADS[name]
    request = Request("POST", "/instances", content=body, headers=headers, unlike=UNLIKE)
    assert_alike(pair, request)
    assert_alike(pair, get("/instances"))


def test_protection(pair: Pair) -> None:
    path = f"/patients/{ids(pair, 'patients')[0]}/protected"
    for body in (b"1", b"0", b"true", b" 1 ", b"2", b"", b"{}"):
        assert_alike(pair, Request("PUT", path, content=body))
        assert_alike(pair, get(path))
    assert_alike(pair, Request("PUT", "/patients/nobody/protected", content=b"1"))


def test_reconstruction_and_export(pair: Pair) -> None:
    instance = f"/instances/{ids(pair, 'instances')[0]}"
    assert_alike(pair, Request("POST", f"{instance}/reconstruct", json={}))
    assert_alike(pair, Request("POST", f"{instance}/export", content=b"/tmp/x"))


def test_deletion_from_below(pair: Pair) -> None:
    """Last in this file: nothing is left."""
    for level in ("instances", "series", "studies", "patients"):
        for resource_id in ids(pair, level)[:2]:
            assert_alike(pair, Request("DELETE", f"/{level}/{resource_id}"))
            assert_alike(pair, get("/series"))
    for patient_id in ids(pair, "patients"):
        assert_alike(pair, Request("DELETE", f"/patients/{patient_id}"))
    assert_alike(pair, get("/instances"))
