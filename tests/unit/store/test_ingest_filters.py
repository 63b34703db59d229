"""Receive filters at the door of the store: what they do not want leaves nothing behind."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydicom.uid import CTImageStorage
from store_support import store_ingest

from gateway.dicom.syntaxes import EXPLICIT_LE
from gateway.errors import FilteredOut, FilterFailed
from gateway.model import Origin, OriginKind, Verdict
from gateway.ports import Unfiltered
from gateway.store.opened import Store

ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


class Asked(Unfiltered):
    """Filters that answer what they are told, and remember what they were asked."""

    wants_received = True

    def __init__(self, answer: Verdict | Exception) -> None:
        self.answer = answer
        self.told: list[Any] = []

    def received(
        self,
        tags: Mapping[str, object],
        origin: Origin,
        *,
        transfer_syntax_uid: str,
        has_pixel_data: bool,
    ) -> Verdict:
        self.told.append((tags, origin, transfer_syntax_uid, has_pixel_data))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def keep(store: Store, filters: Unfiltered, data: bytes, events: list[int]) -> str:
    ingest = store_ingest(store, on_stored=lambda: events.append(1), filters=filters)
    with ingest.begin(
        sop_class_uid=CTImageStorage,
        sop_instance_uid="1.2.826.0.1.3680043.10.1.1",
        transfer_syntax_uid=EXPLICIT_LE.uid,
        origin=ORIGIN,
    ) as arrival:
        arrival.write(data)
        return arrival.keep()


def test_a_filter_is_told_tags_origin_syntax_and_pixels(store, made_ct, data_set_bytes):
    filters = Asked(Verdict(keeps=True))
    assert keep(store, filters, data_set_bytes(made_ct()), [])
    assert keep(store, filters, data_set_bytes(made_ct(PixelData=None)), [])

    (tags, origin, syntax, has_pixel_data), second = filters.told
    assert tags["Modality"] == "CT"
    assert "PixelData" not in tags
    assert (origin, syntax, has_pixel_data) == (ORIGIN, EXPLICIT_LE.uid, True)
    assert second[3] is False


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Verdict(False, "a.lua"), FilteredOut),
        (Verdict(False, "a.lua", 0xA700), FilteredOut),
        (FilterFailed("no answer"), FilterFailed),
    ],
)
def test_what_is_not_kept_leaves_no_file_no_row_and_no_event(
    store, tmp_path, made_ct, data_set_bytes, answer, error
):
    events: list[int] = []

    with pytest.raises(error) as raised:
        keep(store, Asked(answer), data_set_bytes(made_ct()), events)

    if isinstance(answer, Verdict):
        assert raised.value.dimse_status == answer.dimse_status
    assert events == []
    assert list(store.files.keys()) == []
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_where_no_script_filters_the_header_is_not_even_read(
    store, made_ct, data_set_bytes, monkeypatch
):
    monkeypatch.setattr("gateway.dicom.part10.read_to_pixels", None)

    assert keep(store, Unfiltered(), data_set_bytes(made_ct()), [])
