"""What every Ingest must do: the store's, and the one that the tests of the network use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from dimse_support import FolderIngest
from pydicom.uid import CTImageStorage
from store_support import store_ingest

from gateway.dicom import part10
from gateway.dicom.syntaxes import EXPLICIT_LE
from gateway.model import Origin, OriginKind
from gateway.ports import Arrival, Ingest

ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


@dataclass
class Harness:
    """An ingest, the data sets that it kept, and the files that should not be there."""

    ingest: Ingest
    kept: Callable[[], list[bytes]]
    left_over: Callable[[], list[Path]]

    def begin(self, image) -> Arrival:
        return self.ingest.begin(
            sop_class_uid=CTImageStorage,
            sop_instance_uid=str(image.SOPInstanceUID),
            transfer_syntax_uid=EXPLICIT_LE.uid,
            origin=ORIGIN,
        )


@pytest.fixture(params=["store", "folder"])
def harness(request, tmp_path) -> Harness:
    if request.param == "folder":
        folder = tmp_path / "kept"
        folder.mkdir()
        plain = FolderIngest(folder)
        return Harness(plain, lambda: [kept.data for kept in plain.kept], lambda: plain.leftovers)
    store = request.getfixturevalue("store")
    ingest = store_ingest(store)

    def kept() -> list[bytes]:
        paths = [store.files.path(key) for key in sorted(store.files.keys())]
        return [path.read_bytes()[part10.read_meta(path).data_set_offset :] for path in paths]

    return Harness(ingest, kept, lambda: list((tmp_path / "data" / "incoming").iterdir()))


def test_what_is_kept_is_what_was_written(harness, made_ct, data_set_bytes):
    data = data_set_bytes(made_ct())
    with harness.begin(made_ct()) as arrival:
        arrival.write(data[:100])
        arrival.write(memoryview(data)[100:])
        assert arrival.keep()
    assert harness.kept() == [data]
    assert harness.left_over() == []


def test_instances_have_ids_of_their_own(harness, made_ct, data_set_bytes):
    ids = set()
    for number in range(3):
        with harness.begin(made_ct(number)) as arrival:
            arrival.write(data_set_bytes(made_ct(number)))
            ids.add(arrival.keep())
    assert len(ids) == 3


def test_what_is_not_kept_leaves_nothing(harness, made_ct, data_set_bytes):
    with harness.begin(made_ct()) as arrival:
        arrival.write(data_set_bytes(made_ct()))
    assert (harness.kept(), harness.left_over()) == ([], [])


def test_a_sender_that_goes_away_leaves_nothing(harness, made_ct):
    with pytest.raises(ConnectionResetError), harness.begin(made_ct()) as arrival:
        arrival.write(b"half")
        raise ConnectionResetError
    assert (harness.kept(), harness.left_over()) == ([], [])


def test_arrivals_side_by_side_do_not_mix(harness, made_ct, data_set_bytes):
    data = [data_set_bytes(made_ct(number)) for number in (1, 2)]
    with harness.begin(made_ct(1)) as first, harness.begin(made_ct(2)) as second:
        for at in range(0, len(data[0]), 50):
            first.write(data[0][at : at + 50])
            second.write(data[1][at : at + 50])
        second.keep()
        first.keep()
    assert sorted(harness.kept()) == sorted(data)
