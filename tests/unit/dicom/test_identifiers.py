"""Orthanc's identifiers. The expected ones were answered by a real Orthanc 1.10.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dicom.identifiers import instance_id


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("P", "1.2", "1.3", "1.4.0"), "7ac2034c-fe0c88b2-3fade081-cac0a05c-4dbc1d4d"),
        (("", "1.2", "1.3", "1.4.1"), "bf0a0c26-85c60f83-43f6de2d-8fa531fd-145675ef"),
        (("A\\B", "1.2", "1.3", "1.4.3"), "283a93e8-4642863a-84f5e235-4ca92767-8f586d28"),
        (("  lead", "1.2", "1.3", "1.4.4"), "0463277d-beb1687a-8b922e15-32af680c-7551e70f"),
        (("été", "1.2", "1.3", "1.4.6"), "632b3e6b-0718916c-6111e15f-5b7e92c8-6f421318"),
        (("山田", "1.2", "1.3", "1.4.18"), "30c45fef-80d3ec01-9aaaf76a-f38bffd4-4792dac9"),
    ],
)
def test_an_instance_has_the_id_that_orthanc_gives_it(parts, expected):
    assert instance_id(*parts) == expected


@given(st.lists(st.text(), min_size=4, max_size=4))
def test_an_id_is_forty_hex_digits_in_five_groups(parts):
    groups = instance_id(*parts).split("-")
    assert [len(group) for group in groups] == [8] * 5
    assert set("".join(groups)) <= set("0123456789abcdef")
