"""From text to the bytes of a value."""

import pytest

from gateway.dicom.values import ValueRefused, value_bytes


@pytest.mark.parametrize(
    ("text", "vr", "value"),
    [
        ("7", "US", b"\x07\x00"),
        ("-1\\2", "SS", b"\xff\xff\x02\x00"),
        ("1.5", "FL", b"\x00\x00\xc0\x3f"),
        ("0010,0020", "AT", b"\x10\x00\x20\x00"),
        ("(00100020)", "AT", b""),
        ("", "UL", b""),
        ("", "SQ", b""),
        ("Ab\\C", "CS", b"Ab\\C"),
        ("1.2.3", "UI", b"1.2.3"),
        ("é", "LO", b"\xe9"),
        ("abcd", "OW", b"abcd"),
        ("data:application/octet-stream;base64,QUJD", "OB", b"ABC"),
    ],
)
def test_text_becomes_a_value(text, vr, value):
    assert value_bytes(text, vr, "ISO_IR 100") == (value or value_bytes(text, vr, ""))


@pytest.mark.parametrize(
    ("text", "vr"),
    [("abc", "US"), ("70000", "US"), ("-1", "UL"), ("1\\x", "FD"), ("PatientID", "AT"),
     ("abc", "SQ"), ("é", "CS"), ("1.é", "UI"), ("\ud800", "UN"),
     ("data:text/plain;base64,Q", "OB")],
)  # fmt: skip
def test_text_that_is_no_value_of_the_vr_is_refused(text, vr):
    with pytest.raises(ValueRefused):
        value_bytes(text, vr, "")
