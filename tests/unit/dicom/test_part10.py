"""The header that we write before a data set, and what we read of one."""

import struct
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from gateway.dicom import part10
from gateway.dicom.syntaxes import ALL, EXPLICIT_LE, IMPLICIT_LE
from gateway.errors import InstanceUnreadable
from gateway.model import Identifiers

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
UID_OF_A_LIFETIME = "1.2.826.0.1.3680043.10." + "9" * 41  # 64 characters


def written(tmp_path: Path, header: bytes, data: bytes = b"") -> Path:
    path = tmp_path / "written.dcm"
    path.write_bytes(header + data)
    return path


def identifiers(data: bytes, syntax_uid: str = EXPLICIT_LE.uid) -> Identifiers:
    return part10.read_summary(
        BytesIO(data), sop_class_uid=CTImageStorage, transfer_syntax_uid=syntax_uid
    ).identifiers


def element(tag: int, vr: str, value: bytes) -> bytes:
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def data_set(
    sop: bytes, *, patient: bytes | None = b"P", study: bytes = b"1.2", charset: bytes = b""
) -> bytes:
    return b"".join(
        [
            element(0x00080005, "CS", charset) if charset else b"",
            element(0x00080018, "UI", sop),
            b"" if patient is None else element(0x00100020, "LO", patient),
            element(0x0020000D, "UI", study),
            element(0x0020000E, "UI", b"1.3"),
        ]
    )


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


# --- the header ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sop_instance_uid", ["1.2", "1.2.3", "1.22.333", UID_OF_A_LIFETIME])
def test_a_header_says_what_the_data_set_behind_it_is(tmp_path, sop_instance_uid):
    header = part10.header(
        CTImageStorage, sop_instance_uid, EXPLICIT_LE.uid, calling_aet="A B", called_aet="GATEWAY"
    )
    meta = part10.read_meta(written(tmp_path, header))
    assert meta == part10.FileMeta(
        CTImageStorage, sop_instance_uid, EXPLICIT_LE.uid, len(header), "A B", "GATEWAY"
    )


def test_a_header_is_read_by_others(tmp_path, made_ct, data_set_bytes):
    image = made_ct()
    header = part10.header(CTImageStorage, str(image.SOPInstanceUID), EXPLICIT_LE.uid)
    read = dcmread(written(tmp_path, header, data_set_bytes(image)))
    assert read == image
    meta = read.file_meta
    assert meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
    assert meta.ImplementationClassUID == part10.IMPLEMENTATION_CLASS_UID
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert meta.FileMetaInformationGroupLength == len(header) - 128 - 4 - 12


@pytest.mark.parametrize("syntax", ALL, ids=lambda syntax: syntax.keyword)
def test_a_header_can_name_every_syntax(tmp_path, syntax):
    header = part10.header(CTImageStorage, "1.2.3", syntax.uid)
    assert part10.read_meta(written(tmp_path, header)).transfer_syntax_uid == syntax.uid


def test_headers_of_one_series_differ_in_their_instance_only(tmp_path):
    for number in ("1.2.31", "1.2.32", "9.9.99", "1.2.3"):
        header = part10.header(CTImageStorage, number, EXPLICIT_LE.uid)
        assert part10.read_meta(written(tmp_path, header)).sop_instance_uid == number


@given(
    st.text("0123456789.", min_size=1, max_size=64),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), max_size=16
    ),
)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_uid_never_spills_into_the_rest_of_the_header(tmp_path, uid, aet):
    header = part10.header(CTImageStorage, uid, EXPLICIT_LE.uid, calling_aet=aet, called_aet=aet)
    meta = part10.read_meta(written(tmp_path, header))
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (CTImageStorage, uid)
    assert (meta.calling_aet, meta.called_aet) == (aet, aet)


@pytest.mark.parametrize(
    "content", [b"", b"DICM", b"\0" * 128 + b"DICM", b"\0" * 500, b"%PDF-1.4" * 100]
)
def test_what_is_no_dicom_file_is_unreadable(tmp_path, content):
    with pytest.raises(InstanceUnreadable):
        part10.read_meta(written(tmp_path, content))


def test_a_file_that_is_not_there_is_unreadable(tmp_path):
    with pytest.raises(InstanceUnreadable):
        part10.read_meta(tmp_path / "nothing.dcm")


# --- identifiers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax_uid", [IMPLICIT_LE.uid, EXPLICIT_LE.uid, BIG_ENDIAN])
def test_identifiers_are_read_in_every_encoding(made_ct, data_set_bytes, syntax_uid):
    image = made_ct()
    found = identifiers(data_set_bytes(image, syntax_uid), syntax_uid)
    assert found == Identifiers(
        found.instance_id, "SECRET-ID", image.StudyInstanceUID, image.SeriesInstanceUID,
        image.SOPInstanceUID, CTImageStorage,
    )  # fmt: skip


def test_identifiers_are_read_from_a_deflated_data_set(made_ct, data_set_bytes):
    plain = data_set_bytes(made_ct())
    assert identifiers(deflated(plain), DEFLATED) == identifiers(plain)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (data_set(b"1.4.0"), "7ac2034c-fe0c88b2-3fade081-cac0a05c-4dbc1d4d"),
        (data_set(b"1.4.1", patient=None), "bf0a0c26-85c60f83-43f6de2d-8fa531fd-145675ef"),
        (data_set(b"1.4.2", patient=b""), "6f7ff2f6-dc240499-e49fe387-ca291730-b6d231e4"),
        (data_set(b"1.4.3", patient=b"A\\B"), "283a93e8-4642863a-84f5e235-4ca92767-8f586d28"),
        (data_set(b"1.4.4", patient=b"  lead"), "0463277d-beb1687a-8b922e15-32af680c-7551e70f"),
        (data_set(b"1.4.5", patient=b"trail   "), "5fda268b-d4aae272-30ff3f7a-cfc2825c-38b6e198"),
        (
            data_set(b"1.4.6", patient=b"\xe9t\xe9", charset=b"ISO_IR 100"),
            "632b3e6b-0718916c-6111e15f-5b7e92c8-6f421318",
        ),
        (
            data_set(b"1.4.7", patient="été".encode(), charset=b"ISO_IR 192"),
            "0a2613e0-bcc5085e-0d98b6f6-16b4ec13-8c32aa76",
        ),
        (data_set(b"1.4.8", patient=b"\xe9t\xe9"), "46ee88d4-b0f16852-326b7b33-5a502223-10ad28c6"),
        (data_set(b"1.4.11", study=b"1.2\\1.3"), "34f75cb5-effe896e-4b358411-aa26601f-40e65375"),
        (data_set(b"1.4.14", patient=b"\0\0"), "9059b84d-d60d12e0-74b000ee-fed9f0ad-5c42d6c8"),
        (data_set(b"1.4.15", patient=b"a\0b"), "e31c2bf7-ed3cf1e3-b3850193-f1a4490c-d76ba92b"),
        (
            data_set(b"1.4.17", patient=b"\xd4\xc7", charset=b"ISO_IR 13"),
            "a34a3351-241ede77-ecac60ff-c54ff428-ac6c5ce1",
        ),
        (
            data_set(b"1.4.18", patient=b"\x1b$B;3ED\x1b(B", charset=b"\\ISO 2022 IR 87"),
            "30c45fef-80d3ec01-9aaaf76a-f38bffd4-4792dac9",
        ),
    ],
    ids=[
        "plain", "no patient id", "empty patient id", "backslash", "leading spaces",
        "trailing spaces", "Latin-1", "UTF-8", "no character set", "two study UIDs", "only NULs",
        "NUL inside", "half-width katakana", "kanji",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_an_instance_has_the_id_that_a_real_orthanc_gave_it(data, expected):
    assert identifiers(data).instance_id == expected


@pytest.mark.filterwarnings("ignore")
def test_a_uid_that_is_too_long_is_refused():
    with pytest.raises(InstanceUnreadable, match="65 characters"):
        identifiers(data_set(b"1." + b"3" * 63))


def test_reading_stops_before_the_image(made_ct, data_set_bytes):
    """What follows may be two gigabytes, or cut off."""
    data = data_set_bytes(made_ct())
    pixels = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    assert identifiers(data[:pixels]) == identifiers(data)


def test_a_large_element_on_the_way_is_passed_over():
    large = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 30_000_000) + bytes(30_000_000)
    data = data_set(b"1.4.0")
    at = data.index(struct.pack("<HH", 0x0010, 0x0020))
    file = BytesIO(data[:at] + large + data[at:])
    tracemalloc.start()
    found = part10.read_summary(
        file, sop_class_uid=CTImageStorage, transfer_syntax_uid=EXPLICIT_LE.uid
    ).identifiers
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.sop_instance_uid == "1.4.0"
    assert peak < 5_000_000


def test_a_bomb_is_refused_without_growing():
    """A megabyte that inflates to a gigabyte."""
    large = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 1 << 30)
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = compressor.compress(data_set(b"1.4")[:14] + large)
    bomb += compressor.flush(zlib.Z_FULL_FLUSH)
    megabyte = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    bomb += megabyte * 1024 + compressor.flush()  # after a full flush, the same again may follow
    tracemalloc.start()
    with pytest.raises(InstanceUnreadable):
        identifiers(bomb, DEFLATED)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 28


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT_LE.uid, EXPLICIT_LE.uid, DEFLATED]))
@pytest.mark.filterwarnings("ignore")
def test_any_bytes_at_all_are_read_or_unreadable(data, syntax_uid):
    with suppress(InstanceUnreadable):
        identifiers(data, syntax_uid)


@given(st.integers(0, 150), st.binary(min_size=1, max_size=8))
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_data_set_is_read_or_unreadable(at, damage):
    data = bytearray(data_set(b"1.4.0", charset=b"ISO_IR 100"))
    data[at : at + len(damage)] = damage
    with suppress(InstanceUnreadable):
        identifiers(bytes(data))


# --- what the index keeps ------------------------------------------------------------------------


def main_tags(data: bytes) -> Mapping[str, str]:
    return part10.read_summary(
        BytesIO(data), sop_class_uid=CTImageStorage, transfer_syntax_uid=EXPLICIT_LE.uid
    ).main_tags


def test_main_tags_of_all_levels_are_read_in_their_character_set():
    data = b"".join(
        [
            element(0x00080005, "CS", b"ISO_IR 192"),
            element(0x00080018, "UI", b"1.4"),
            element(0x00080060, "CS", b"CT"),
            element(0x00081030, "LO", "Schädel".encode()),
            element(0x00100010, "PN", "Müller^Jörg".encode()),
            element(0x00100020, "LO", b"P"),
            element(0x0020000D, "UI", b"1.2"),
            element(0x0020000E, "UI", b"1.3"),
            element(0x00200013, "IS", b"7"),
            element(0x00280008, "IS", b"3"),
            element(0x00281050, "DS", b"40"),
        ]
    )
    found = main_tags(data)
    assert found["PatientName"] == "Müller^Jörg"
    assert found["StudyDescription"] == "Schädel"
    assert (found["Modality"], found["InstanceNumber"], found["NumberOfFrames"]) == ("CT", "7", "3")
    assert "WindowCenter" not in found


def test_damage_behind_the_identifiers_costs_only_what_is_behind_it():
    cut_off = struct.pack("<HH2sH", 0x0020, 0x0020, b"IS", 255) + b"cut"
    data = data_set(b"1.4") + element(0x00200013, "IS", b"7") + cut_off
    assert main_tags(data)["InstanceNumber"] == "7"
    no_items = struct.pack("<HH2sHI", 0x0020, 0x0020, b"SQ", 0, 0xFFFFFFFF) + b"garbage!"
    assert main_tags(data_set(b"1.4") + no_items)["PatientID"] == "P"


# --- whole headers -------------------------------------------------------------------------------


def test_a_header_is_read_up_to_the_image(tmp_path, made_ct, data_set_bytes):
    image = made_ct()
    header = part10.header(CTImageStorage, str(image.SOPInstanceUID), EXPLICIT_LE.uid)
    read = part10.read_header(written(tmp_path, header, data_set_bytes(image)))
    assert read.PatientID == image.PatientID
    assert "PixelData" not in read


def test_a_deflated_header_is_read_up_to_the_image(tmp_path, made_ct, data_set_bytes):
    image = made_ct()
    header = part10.header(CTImageStorage, str(image.SOPInstanceUID), DEFLATED)
    read = part10.read_header(written(tmp_path, header, deflated(data_set_bytes(image))))
    assert read.PatientID == image.PatientID
    assert "PixelData" not in read


def test_a_damaged_data_set_has_no_header(tmp_path):
    header = part10.header(CTImageStorage, "1.2.3", EXPLICIT_LE.uid)
    with pytest.raises(InstanceUnreadable):
        part10.read_header(written(tmp_path, header, b"\x08\x00\x05\x00CS\xff\xff" + b"x" * 9))


@pytest.mark.parametrize(
    "path",
    [BUNDLED / "CT_small.dcm", *sorted(BUNDLED.glob("MR_*.dcm"))],
    ids=lambda path: path.name,
)
@pytest.mark.filterwarnings("ignore")
def test_the_meta_of_real_files_tells_where_their_data_set_begins(path):
    meta = part10.read_meta(path)
    with path.open("rb") as file:
        file.seek(meta.data_set_offset)
        found = part10.read_summary(
            file, sop_class_uid=meta.sop_class_uid, transfer_syntax_uid=meta.transfer_syntax_uid
        ).identifiers
    assert found.sop_instance_uid == dcmread(path).SOPInstanceUID
