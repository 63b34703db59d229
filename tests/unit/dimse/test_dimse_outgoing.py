"""Files as P-DATA-TFs; pynetdicom decodes them again."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pynetdicom.pdu import P_DATA_TF

from gateway.dimse.outgoing import data_pdus
from gateway.errors import InstanceUnreadable


def pdus_of(path: Path, offset: int, maximum: int) -> list[bytes]:
    with path.open("rb") as file:
        batches = [
            bytes(view)
            for view in data_pdus(file.fileno(), offset, context_id=7, maximum_pdu_bytes=maximum)
        ]
    stream, pdus = b"".join(batches), []
    while stream:
        size = 6 + struct.unpack_from(">xxI", stream)[0]
        pdus.append(stream[:size])
        stream = stream[size:]
    return pdus


@given(
    size=some.integers(1, 700_000),
    offset=some.integers(0, 400),
    maximum=some.sampled_from([128, 4096, 16384, 131072, 262144]),
)
def test_the_fragments_are_the_file_again_and_only_the_last_is_marked(
    tmp_path_factory, size, offset, maximum
):
    if maximum < 4096:
        size = size % 5000 + 1
    path = tmp_path_factory.getbasetemp() / "outgoing"
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    path.write_bytes(bytes(offset) + content)
    fragments, lasts = [], []
    for encoded in pdus_of(path, offset, maximum):
        assert len(encoded) - 6 <= maximum
        pdu = P_DATA_TF()
        pdu.decode(encoded)
        (item,) = pdu.presentation_data_value_items
        assert item.presentation_context_id == 7
        lasts.append(item.presentation_data_value[0])
        fragments.append(item.presentation_data_value[1:])
    assert b"".join(fragments) == content
    assert lasts == [0] * (len(lasts) - 1) + [2]


def test_a_file_without_a_data_set_is_not_sent(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(bytes(10))
    with pytest.raises(InstanceUnreadable):
        pdus_of(path, 10, 4096)


def test_a_file_that_becomes_shorter_is_an_error(tmp_path):
    path = tmp_path / "shrinking"
    path.write_bytes(bytes(1_000_000))
    with path.open("rb") as file:
        pdus = data_pdus(file.fileno(), 0, context_id=1, maximum_pdu_bytes=16384)
        next(pdus)
        path.write_bytes(b"")
        with pytest.raises(InstanceUnreadable):
            list(pdus)
