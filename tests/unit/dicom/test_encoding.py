"""Data sets are encoded anew without a change to their values."""

import struct
from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset

from gateway.dicom.encoding import element_header, encode
from gateway.dicom.tags import tags
from gateway.errors import InstanceUnreadable


def explicit(tag: int, vr: str, value: bytes) -> bytes:
    return element_header(tag, vr, len(value), implicit_vr=False) + value


def implicit(tag: int, value: bytes) -> bytes:
    return element_header(tag, "", len(value), implicit_vr=True) + value


def big_endian(tag: int, vr: str, value: bytes) -> bytes:
    return struct.pack(">HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def item(content: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HHI", 0xFFFE, 0xE000, len(content)) + content


def read(data: bytes, *, implicit_vr: bool = False, little_endian: bool = True) -> Dataset:
    return read_dataset(BytesIO(data), implicit_vr, little_endian)


def test_values_that_break_their_vr_are_copied_byte_for_byte():
    data = (
        explicit(0x00080018, "UI", b"not a uid ")
        + explicit(0x00100030, "DA", b"31/02/99")
        + explicit(0x00101030, "DS", b"1,5 kg")
        + explicit(0x00200013, "IS", b"1A")
        + explicit(0x00280010, "US", b"\1\2\3\4\5\6")
    )
    assert encode(read(data), implicit_vr=False) == data


def test_explicit_to_implicit_and_back_is_the_same():
    code = item(explicit(0x00080100, "SH", b"C1") + explicit(0x00280107, "SS", b"\1\0"))
    data = (
        explicit(0x00080005, "CS", b"ISO_IR 192")
        + explicit(0x00081032, "SQ", code)
        + explicit(0x00090010, "LO", b"ACME")
        + explicit(0x00091001, "UN", b"\1\2\3\4")
        + explicit(0x00280103, "US", b"\1\0")
        + explicit(0x00280106, "SS", b"\xff\xff")
    )
    there = encode(read(data), implicit_vr=True)
    assert encode(read(there, implicit_vr=True), implicit_vr=False) == data


def test_elements_without_a_known_vr_become_un():
    data = implicit(0x00090010, b"ACME") + implicit(0x00091001, b"ab") + implicit(0x00104001, b"xy")
    expected = (
        explicit(0x00090010, "LO", b"ACME")
        + explicit(0x00091001, "UN", b"ab")
        + explicit(0x00104001, "UN", b"xy")
    )
    assert encode(read(data, implicit_vr=True), implicit_vr=False) == expected


def test_a_value_too_long_for_its_explicit_vr_becomes_un():
    long = b"1\\" * 40000
    assert encode(read(implicit(0x00189461, long), implicit_vr=True), implicit_vr=False) == (
        explicit(0x00189461, "UN", long)
    )


def test_group_lengths_are_dropped():
    data = explicit(0x00080000, "UL", b"\4\0\0\0") + explicit(0x00080060, "CS", b"CT")
    assert encode(read(data), implicit_vr=False) == explicit(0x00080060, "CS", b"CT")


def test_big_endian_numbers_change_their_byte_order_at_every_depth():
    nested = item(big_endian(0x00280010, "US", b"\2\0"), ">")
    data = (
        big_endian(0x00080060, "CS", b"CT")
        + struct.pack(">HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(nested))
        + nested
        + big_endian(0x00189073, "FD", struct.pack(">d", 1.5))
        + big_endian(0x00280009, "AT", struct.pack(">HH", 0x18, 0x1063))
        + big_endian(0x00280010, "US", b"\1\0")
    )
    dataset = read(data, little_endian=False)
    shown = tags(dataset)
    encoded = encode(dataset, implicit_vr=False)
    assert explicit(0x00280010, "US", b"\0\1") in encoded
    assert explicit(0x00280010, "US", b"\0\2") in encoded
    assert tags(read(encoded)) == shown
    assert shown["FrameIncrementPointer"] == "0018,1063"


def test_sequences_of_undefined_length_get_a_length():
    code = explicit(0x00080100, "SH", b"C1")
    undefined = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    begin = element_header(0x00081032, "SQ", 0xFFFFFFFF, implicit_vr=False)
    expected = explicit(0x00081032, "SQ", item(code))
    assert encode(read(begin + undefined + code + ends), implicit_vr=False) == expected


def test_values_set_in_memory_are_written_in_the_character_set():
    dataset, code = Dataset(), Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Müller"
    code.CodeMeaning = "Größe"
    dataset.ConceptNameCodeSequence = [code]
    shown = tags(read(encode(dataset, implicit_vr=False)))
    assert shown["PatientName"] == "Müller"
    assert shown["ConceptNameCodeSequence"] == [{"CodeMeaning": "Größe"}]


def test_values_of_odd_length_are_padded():
    assert encode(read(explicit(0x00080060, "CS", b"C")), implicit_vr=False) == (
        explicit(0x00080060, "CS", b"C ")
    )


@pytest.mark.parametrize("implicit_vr", [False, True])
def test_a_value_that_is_cut_off_is_refused(implicit_vr):
    data = explicit(0x00100010, "PN", b"Doe^John")[:-3]
    with pytest.raises(InstanceUnreadable, match="cut off"):
        encode(read(data), implicit_vr=implicit_vr)


def test_encapsulated_pixel_data_in_an_item_is_refused():
    fragments = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + item(b"\xff\xd8")
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    pixels = element_header(0x7FE00010, "OB", 0xFFFFFFFF, implicit_vr=False) + fragments + end
    data = explicit(0x00880200, "SQ", item(pixels))
    with pytest.raises(InstanceUnreadable, match="undefined length"):
        encode(read(data), implicit_vr=True)
