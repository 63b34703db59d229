"""Instances: uploading them, their files, tags, frames and elements."""

import gzip
import io
import zipfile

import pytest
from images import save
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from rest_support import LUA, GatewayApi, bundled, file_bytes, real_file

from gateway.config.models import Configuration, Http
from gateway.config.models import Store as StoreSettings
from gateway.dicom import syntaxes
from gateway.model import Origin, OriginKind
from gateway.rest.upload import receive
from gateway.store import schema

BIG_ENDIAN = "1.2.840.10008.1.2.2"
J2K = "1.2.840.10008.1.2.4.90"


@pytest.fixture
def instance(gateway_api, made_ct) -> str:
    """The path of an instance with an item, a private element and a value of odd length."""
    item = Dataset()
    item.CodeValue = "T-D1100"
    image = made_ct(1, AnatomicRegionSequence=[item])
    image.add_new(0x00090010, "LO", "ACME")
    image.add_new(0x00091001, "LO", "private")
    return f"/instances/{gateway_api.store(image)}"


def nothing_is_stored(api: GatewayApi) -> bool:
    incoming = list((api.settings.store.folder / "incoming").iterdir())
    return api.get_json("/instances") == [] and not incoming and api.stored_events == 0


# --- upload --------------------------------------------------------------------------------------


def test_an_upload_answers_all_that_the_instance_is_in(gateway_api, made_ct):
    answer = gateway_api.post_json("/instances", file_bytes(made_ct(1)))
    instance_id = answer["ID"]
    assert answer == {
        "ID": instance_id,
        "ParentPatient": gateway_api.get_json("/patients")[0],
        "ParentSeries": gateway_api.get_json("/series")[0],
        "ParentStudy": gateway_api.get_json("/studies")[0],
        "Path": f"/instances/{instance_id}",
        "Status": "Success",
    }
    assert gateway_api.stored_events == 1
    assert dcmread(gateway_api.file_of(instance_id)).PixelData == made_ct(1).PixelData


def test_the_same_file_again_is_already_stored(gateway_api, made_ct):
    first = gateway_api.post_json("/instances/", file_bytes(made_ct(1)))
    again = gateway_api.post_json("/instances/", file_bytes(made_ct(1)))
    assert again == first | {"Status": "AlreadyStored"}
    assert gateway_api.stored_events == 1


@pytest.mark.parametrize(
    ("policy", "status", "description"),
    [
        ("overwrite", "Success", "new"),
        ("keep", "AlreadyStored", "old"),
        ("reject", "AlreadyStored", "old"),
    ],
)
def test_other_content_is_taken_as_the_policy_for_duplicates_says(
    tmp_path, lazy_codecs, made_ct, policy, status, description
):
    settings = Configuration(store=StoreSettings(folder=tmp_path / "data", duplicates=policy))
    api = GatewayApi(tmp_path, lazy_codecs, settings)
    try:
        api.post_json("/instances", file_bytes(made_ct(1, ImageComments="old")))
        answer = api.post_json("/instances", file_bytes(made_ct(1, ImageComments="new")))
        assert answer["Status"] == status
        shown = api.get_json(f"/instances/{answer['ID']}/simplified-tags")
        assert shown["ImageComments"] == description
    finally:
        api.close()


def test_an_upload_is_known_by_who_sent_it(gateway_api, made_ct):
    sender = Origin(OriginKind.REST, remote_ip="10.0.0.9", username="alice")
    gateway_api.call("POST", "/instances", file_bytes(made_ct(1)), origin=sender)
    with gateway_api.services.store.engine.connect() as connection:
        row = connection.execute(schema.version.select()).one()
    assert (row.origin_kind, row.remote_ip, row.username) == ("RestApi", "10.0.0.9", "alice")


def test_a_compressed_body_is_inflated(gateway_api, made_ct):
    body = gzip.compress(file_bytes(made_ct(1)))
    answer = gateway_api.post("/instances", body, Content_Encoding="gzip")
    assert answer.json["Status"] == "Success"


def test_a_body_that_is_compressed_wrongly_is_refused(empty_api, made_ct):
    whole = gzip.compress(file_bytes(made_ct(1)))
    for body in (b"not gzip", whole[: len(whole) // 2]):
        answer = empty_api.post("/instances", body, Content_Encoding="gzip")
        assert answer.json["OrthancStatus"] == 15
    assert nothing_is_stored(empty_api)


def test_a_compressed_body_cannot_grow_beyond_the_limit(tmp_path, lazy_codecs, made_ct):
    settings = Configuration(
        store=StoreSettings(folder=tmp_path / "data"), http=Http(maximum_body_mb=1)
    )
    api = GatewayApi(tmp_path, lazy_codecs, settings)
    try:
        image = made_ct(1, rows=1024, columns=1024)
        body = gzip.compress(file_bytes(image))
        assert len(body) < 1 << 20
        assert api.post("/instances", body, Content_Encoding="gzip").status_code == 413
        assert nothing_is_stored(api)
    finally:
        api.close()


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b"", "Received an empty DICOM file"),
        (b"junk", "Cannot parse an invalid DICOM file (size: 4 bytes)"),
        (b"\0" * 132, "Cannot parse an invalid DICOM file (size: 132 bytes)"),
        (b"x" * 300_000, "Cannot parse an invalid DICOM file (size: 300000 bytes)"),
        (b"PK\x03\x04 and no archive", "Cannot open ZIP archive from memory buffer"),
        (b'{"a": 1}', "Cannot parse an invalid DICOM file (size: 8 bytes)"),
    ],
)
def test_what_is_no_dicom_file_is_refused(empty_api, body, details):
    answer = empty_api.post("/instances", body)
    assert (answer.status_code, answer.json["OrthancStatus"]) == (400, 15)
    assert answer.json["Details"] == details
    assert nothing_is_stored(empty_api)


@pytest.mark.parametrize("missing", [1, 10, 40, 600])
def test_a_file_that_is_cut_off_is_refused(empty_api, made_ct, missing):
    body = file_bytes(made_ct(1, rows=64, columns=64))[:-missing]
    answer = empty_api.post("/instances", body)
    assert answer.json["OrthancStatus"] == 15
    assert nothing_is_stored(empty_api)


def test_a_file_without_identifiers_is_refused(empty_api, made_ct):
    image = made_ct(1, StudyInstanceUID=None)
    answer = empty_api.post("/instances", file_bytes(image))
    assert (answer.status_code, answer.json["OrthancStatus"]) == (404, 21)
    assert nothing_is_stored(empty_api)


@pytest.mark.parametrize(
    "syntax_uid", [syntaxes.IMPLICIT_LE.uid, syntaxes.EXPLICIT_LE.uid, BIG_ENDIAN]
)
def test_a_bare_data_set_is_stored_in_the_syntax_that_it_is_in(
    gateway_api, made_ct, data_set_bytes, syntax_uid
):
    body = data_set_bytes(made_ct(1), syntax_uid)
    answer = gateway_api.post_json("/instances", body)
    assert read_file_meta_info(gateway_api.file_of(answer["ID"])).TransferSyntaxUID == syntax_uid


def test_a_large_upload_goes_through_memory_by_the_piece(gateway_api, made_ct):
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size=-1, /):
            assert size >= 0
            type(self).largest = max(self.largest, size)
            return super().read(size)

    body = Watched(file_bytes(made_ct(1, rows=2048, columns=2048)))
    receive(gateway_api.services, body, LUA)
    assert Watched.largest <= 1 << 20


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_archive_answers_for_each_dicom_file_in_it(gateway_api, made_ct):
    body = zipped(
        {
            "one.dcm": file_bytes(made_ct(1)),
            "README": b"no image",
            "folder/": b"",
            "folder/two.dcm": file_bytes(made_ct(2)),
            "again": file_bytes(made_ct(1)),
            "empty": b"",
        }
    )
    answers = gateway_api.post_json("/instances", body)
    assert [answer["Status"] for answer in answers] == ["Success", "Success", "AlreadyStored"]
    assert [answer["ID"] for answer in answers[:2]] == gateway_api.get_json("/instances")
    assert not list((gateway_api.settings.store.folder / "incoming").iterdir())


def test_an_archive_without_dicom_files_answers_an_empty_list(gateway_api):
    assert gateway_api.post_json("/instances", zipped({"README": b"no image"})) == []


def test_a_damaged_member_does_not_keep_the_others_out(gateway_api, made_ct):
    body = bytearray(zipped({"a": file_bytes(made_ct(1)), "b": file_bytes(made_ct(2))}))
    body[60:80] = b"\xff" * 20
    answers = gateway_api.post_json("/instances", bytes(body))
    assert [answer["ID"] for answer in answers] == gateway_api.get_json("/instances")
    assert len(answers) == 1


def form(*files: bytes) -> tuple[bytes, dict[str, str]]:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%b\r\n' % content
        for content in files
    ]
    header = {"Content-Type": "multipart/form-data; boundary=XX"}
    return b"".join(parts) + b"--XX--\r\n", header


def test_the_files_of_a_form_are_stored(gateway_api, made_ct):
    body, headers = form(file_bytes(made_ct(1)), zipped({"a": file_bytes(made_ct(2))}))
    answer = gateway_api.call("POST", "/instances", body, headers)
    assert (answer.status_code, answer.data) == (200, b"")
    assert len(gateway_api.get_json("/instances")) == 2


def test_a_form_with_something_else_is_refused(empty_api):
    body, headers = form(b"no image")
    assert empty_api.call("POST", "/instances", body, headers).json["OrthancStatus"] == 15


# --- files ---------------------------------------------------------------------------------------


def test_the_file_is_answered_as_it_is_stored(gateway_api, instance):
    answer = gateway_api.get(f"{instance}/file")
    stored = gateway_api.file_of(instance.rpartition("/")[2]).read_bytes()
    assert answer.get_data() == stored
    assert answer.content_type == "application/dicom"
    assert answer.content_length == len(stored)
    uuid = gateway_api.get_json(instance)["FileUuid"]
    assert answer.headers["Content-Disposition"] == f'filename="{uuid}.dcm"'


def test_part_of_a_file(gateway_api, instance):
    with gateway_api.get(f"{instance}/file", Range="bytes=128-131") as answer:
        assert (answer.status_code, answer.get_data()) == (206, b"DICM")
        assert answer.headers["Content-Range"].startswith("bytes 128-131/")


def test_a_part_that_a_file_has_not_is_not_satisfiable(gateway_api, instance):
    assert gateway_api.get(f"{instance}/file", Range="bytes=99999999-").status_code == 416


def test_a_file_that_the_client_has_is_not_sent_again(gateway_api, instance):
    with gateway_api.get(f"{instance}/file") as whole:
        tag = whole.headers["ETag"]
    assert gateway_api.get(f"{instance}/file", If_None_Match=tag).status_code == 304


def test_head_tells_the_size_of_a_file(gateway_api, instance):
    answer = gateway_api.call("HEAD", f"{instance}/file")
    whole = gateway_api.get(f"{instance}/file")
    assert answer.content_length == whole.content_length
    for each in (answer, whole):
        each.close()


def test_a_file_in_another_transfer_syntax(gateway_api, instance):
    answer = gateway_api.get(f"{instance}/file?transcode={J2K}")
    assert answer.status_code == 200
    assert dcmread(io.BytesIO(answer.get_data())).file_meta.TransferSyntaxUID == J2K
    assert not list((gateway_api.settings.store.folder / "incoming").iterdir())


def test_a_transfer_syntax_that_is_none_is_refused(gateway_api, instance):
    assert gateway_api.get(f"{instance}/file?transcode=nope").json["OrthancStatus"] == 3
    path = f"{instance}/file?transcode=1.2.840.10008.1.2.4.50&lossy-quality=101"
    assert gateway_api.get(path).json["OrthancStatus"] == 3


def test_a_transfer_syntax_that_cannot_hold_the_image_is_not_implemented(gateway_api, instance):
    answer = gateway_api.get(f"{instance}/file?transcode=1.2.840.10008.1.2.4.100")
    assert (answer.status_code, answer.json["OrthancStatus"]) == (501, 2)
    assert not list((gateway_api.settings.store.folder / "incoming").iterdir())


def test_writing_a_file_elsewhere_is_forbidden_unless_configured(gateway_api, instance, tmp_path):
    answer = gateway_api.post(f"{instance}/export", str(tmp_path / "x.dcm"))
    assert (answer.status_code, answer.data) == (403, b"")
    assert not (tmp_path / "x.dcm").exists()


def test_a_file_is_written_where_a_client_says_when_that_is_configured(
    tmp_path, lazy_codecs, made_ct
):
    settings = Configuration(
        store=StoreSettings(folder=tmp_path / "data"), http=Http(write_files=True)
    )
    api = GatewayApi(tmp_path, lazy_codecs, settings)
    try:
        instance_id = api.store(made_ct(1))
        target = tmp_path / "x.dcm"
        assert api.post(f"/instances/{instance_id}/export", str(target)).json == {}
        assert target.read_bytes() == api.file_of(instance_id).read_bytes()
        for bad in ("", str(tmp_path), "/nonexistent/x", "a\0b"):
            answer = api.post(f"/instances/{instance_id}/export", bad)
            assert (answer.status_code, answer.json["OrthancStatus"]) == (500, 14)
        assert api.post("/instances/nobody/export", str(target)).json["OrthancStatus"] == 17
    finally:
        api.close()


# --- tags ----------------------------------------------------------------------------------------


def test_tags_in_three_forms(gateway_api, instance):
    full = gateway_api.get_json(f"{instance}/tags")
    assert full["0010,0010"]["Value"] == "SECRET^NAME"
    assert full["7fe0,0010"] == {"Name": "PixelData", "Type": "Null", "Value": None}
    short = gateway_api.get_json(f"{instance}/tags?short")
    assert short["0008,2218"] == [{"0008,0100": "T-D1100"}]
    simplified = gateway_api.get_json(f"{instance}/tags?simplify")
    assert simplified == gateway_api.get_json(f"{instance}/simplified-tags")
    assert simplified["PrivateCreator"] == "ACME"


def test_long_values_are_shown_when_they_are_asked_for(gateway_api, made_ct):
    path = f"/instances/{gateway_api.store(made_ct(1, ImageComments='x' * 300))}"
    assert gateway_api.get_json(f"{path}/tags")["0020,4000"]["Type"] == "TooLong"
    for named in ("0020-4000", "ImageComments", "PatientID,ImageComments"):
        shown = gateway_api.get_json(f"{path}/tags?simplify&ignore-length={named}")
        assert shown["ImageComments"] == "x" * 300
    assert gateway_api.get(f"{path}/tags?ignore-length=nonsense").json["OrthancStatus"] == 27


def test_the_header_is_the_file_meta_information(gateway_api, instance):
    header = gateway_api.get_json(f"{instance}/header?simplify")
    assert header["TransferSyntaxUID"] == syntaxes.EXPLICIT_LE.uid
    assert "0002,0010" in gateway_api.get_json(f"{instance}/header")


def test_what_is_below_an_unknown_instance_is_an_unknown_resource(empty_api):
    for path in ("file", "tags", "simplified-tags", "header", "frames", "frames/0/raw", "content"):
        answer = empty_api.get(f"/instances/nobody/{path}")
        assert (answer.status_code, answer.json["OrthancStatus"]) == (404, 17)


# --- elements ------------------------------------------------------------------------------------


def test_the_elements_of_a_data_set_and_of_an_item(gateway_api, instance):
    names = gateway_api.get_json(f"{instance}/content")
    assert names[0] == "0008-0016"
    assert names[-1] == "7fe0-0010"
    assert gateway_api.get_json(f"{instance}/content/0008-2218") == ["0"]
    assert gateway_api.get_json(f"{instance}/content/0008-2218/0") == ["0008-0100"]


def test_a_value_is_answered_as_encoded_with_its_padding(gateway_api, instance):
    for name in ("0010-0010", "PatientName", "00100010", "0010,0010"):
        answer = gateway_api.get(f"{instance}/content/{name}")
        assert (answer.data, answer.content_type) == (b"SECRET^NAME ", "application/octet-stream")
    inside = gateway_api.get(f"{instance}/content/0008-2218/0/CodeValue")
    assert inside.data == b"T-D1100 "


def test_numbers_are_little_endian_whatever_the_file_is(gateway_api, made_ct, data_set_bytes):
    body = data_set_bytes(made_ct(1, rows=5), BIG_ENDIAN)
    answer = gateway_api.post_json("/instances", body)
    assert gateway_api.get(f"{answer['Path']}/content/Rows").data == b"\5\0"


@pytest.mark.parametrize(
    "path",
    ["0010-9999", "0010-0010/0", "0008-2218/1", "0008-2218/x", "0008-2218/0/0010-0010",
     "7fe0-0010/1", "7fe0-0010/0/0", "0008-2218/" + "9" * 5000],
)  # fmt: skip
def test_an_element_that_is_not_there_is_a_404_without_a_body(gateway_api, instance, path):
    answer = gateway_api.get(f"{instance}/content/{path}")
    assert (answer.status_code, answer.data) == (404, b"")


def test_elements_behind_the_pixels_are_there_as_well(gateway_api):
    for file in ("CT_small.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        path = f"/instances/{gateway_api.store(bundled(file))}/content"
        assert gateway_api.get_json(path)[-2:] == ["7fe0-0010", "fffc-fffc"]
        assert gateway_api.get(f"{path}/fffc-fffc").status_code == 200


def test_a_name_that_is_no_tag_is_refused(gateway_api, instance):
    assert gateway_api.get(f"{instance}/content/nonsense").json["OrthancStatus"] == 27


def test_native_pixels_are_one_piece(gateway_api, instance, made_ct):
    assert gateway_api.get_json(f"{instance}/content/7fe0-0010") == ["0"]
    answer = gateway_api.get(f"{instance}/content/7fe0-0010/0")
    assert answer.get_data() == made_ct(1).PixelData


def test_encapsulated_pixels_are_an_offset_table_and_fragments(gateway_api):
    path = f"/instances/{gateway_api.store(bundled('SC_rgb_rle_2frame.dcm'))}"
    assert gateway_api.get_json(f"{path}/content/7fe0-0010") == ["0", "1", "2"]
    assert gateway_api.get(f"{path}/content/7fe0-0010/0").get_data()[4:] == b"\xa0\2\0\0"
    assert len(gateway_api.get(f"{path}/content/7fe0-0010/1").get_data()) == 664


# --- frames --------------------------------------------------------------------------------------


def test_frames_of_native_pixels(gateway_api, made_ct):
    image = made_ct(1, rows=2, columns=2, NumberOfFrames=2, PixelData=bytes(range(16)))
    path = f"/instances/{gateway_api.store(image)}/frames"
    assert gateway_api.get_json(path) == [0, 1]
    answer = gateway_api.get(f"{path}/1/raw")
    assert (answer.data, answer.content_type) == (bytes(range(8, 16)), "application/octet-stream")
    assert gzip.decompress(gateway_api.get(f"{path}/1/raw.gz").data) == bytes(range(8, 16))


@pytest.mark.parametrize("frame", ["1", "-1", "x", "9" * 5000])
def test_a_frame_that_is_not_there_is_out_of_range(gateway_api, instance, frame):
    answer = gateway_api.get(f"{instance}/frames/{frame}/raw")
    assert (answer.status_code, answer.json["OrthancStatus"]) == (400, 3)


@pytest.mark.parametrize(
    ("file", "media_type", "begins"),
    [
        ("examples_ybr_color.dcm", "image/jpeg", b"\xff\xd8"),
        ("693_J2KI.dcm", "image/jp2", b"\xff\x4f\xff\x51"),
        ("SC_rgb_rle_2frame.dcm", "application/octet-stream", b"\3\0\0\0"),
        ("MR_small_jpeg_ls_lossless.dcm", "application/octet-stream", b"\xff\xd8"),
    ],
)
def test_a_compressed_frame_is_its_codestream(gateway_api, file, media_type, begins):
    path = f"/instances/{gateway_api.store(bundled(file))}/frames/0/raw"
    answer = gateway_api.get(path)
    assert answer.content_type == media_type
    assert answer.data.startswith(begins)


def test_frames_of_a_deflated_file(gateway_api):
    path = f"/instances/{gateway_api.store(bundled('image_dfl.dcm'))}"
    assert gateway_api.get_json(f"{path}/frames") == [0]
    assert len(gateway_api.get(f"{path}/frames/0/raw").data) == 262144
    assert len(gateway_api.get(f"{path}/content/7fe0-0010/0").get_data()) == 262144
    assert not list((gateway_api.settings.store.folder / "incoming").iterdir())


def test_an_instance_without_pixels_has_no_frames(gateway_api):
    path = gateway_api.post_json("/instances", bundled("rtplan.dcm").read_bytes())["Path"]
    assert gateway_api.get_json(f"{path}/frames") == []
    assert gateway_api.get(f"{path}/frames/0/raw").json["OrthancStatus"] == 7


def test_fragments_are_put_together_into_frames(gateway_api):
    path = f"/instances/{gateway_api.store(real_file('odd/LenaTwiceWithFragments.dcm'))}"
    assert gateway_api.get_json(f"{path}/frames") == [0, 1]
    assert len(gateway_api.get(f"{path}/frames/1/raw").data) == 69214


def test_a_saved_file_comes_back(gateway_api, made_ct, tmp_path):
    path = save(made_ct(3), tmp_path / "x.dcm")
    answer = gateway_api.post_json("/instances", path.read_bytes())
    assert gateway_api.get_json(answer["Path"])["IndexInSeries"] == 3
