"""Pieces that wait for their place in a file come back as they were, or not at all."""

from io import BytesIO

import pytest

from gateway.codecs.spool import spool
from gateway.errors import VerificationFailed

PIECES = [b"first", b"", b"third"]


def test_pieces_come_back_in_order_and_more_than_once():
    spooled = spool(PIECES, BytesIO())
    assert spooled.lengths == [5, 0, 5]
    assert list(spooled.pieces()) == PIECES
    assert list(spooled.pieces()) == PIECES


@pytest.mark.parametrize("changed", [b"firstthirt", b"firstthir"], ids=["a bit", "cut off"])
def test_a_piece_that_changed_on_its_way_is_not_handed_on(changed: bytes):
    file = BytesIO()
    spooled = spool(PIECES, file)
    file.seek(0)
    file.write(changed)
    file.truncate()
    with pytest.raises(VerificationFailed):
        list(spooled.pieces())
