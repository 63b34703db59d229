"""What is transcoded before it is kept, and what is kept as it came."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from codec_support import write_native
from images import save
from pydicom import dcmread
from sqlalchemy import select
from store_support import Instances, store_ingest

from gateway.config.models import Arrivals, Codecs
from gateway.dicom import part10
from gateway.dicom.syntaxes import EXPLICIT_LE, JPEG2000_LOSSLESS, lookup
from gateway.errors import DuplicateRefused
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind, Version
from gateway.store import schema
from gateway.store.arrivals import ArrivalTranscoding
from gateway.store.ingest import StoreIngest
from gateway.store.opened import Store
from gateway.store.recovery import Recovery

ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")
RLE, JPEG = lookup("rle"), lookup("jpeg")
# Kept and compared as they are; only the size matters: something to compress.
ROWS = COLUMNS = 64


@pytest.fixture
def ingest(store: Store, lazy_codecs) -> Callable[..., StoreIngest]:
    """`ingest(to=..., duplicates=...)`: an ingest that transcodes."""

    def ingest(duplicates: str = "overwrite", **settings: object) -> StoreIngest:
        metrics = Metrics()
        arrivals = Arrivals.model_validate(settings)
        return store_ingest(
            store,
            duplicates=duplicates,
            metrics=metrics,
            transcoding=ArrivalTranscoding(
                store.files, lazy_codecs, arrivals, Codecs().options(), metrics
            ),
        )

    return ingest


@pytest.fixture
def image(made_ct):
    """A made image that is worth compressing."""
    return made_ct(rows=ROWS, columns=COLUMNS)


def keep(ingest: StoreIngest, path: Path) -> str:
    """Keep a file as if it had come over the network; answers the instance id."""
    meta = part10.read_meta(path)
    with ingest.begin(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        origin=ORIGIN,
    ) as arrival:
        arrival.write(data_set_of(path))
        return arrival.keep()


def data_set_of(path: Path) -> bytes:
    return path.read_bytes()[part10.read_meta(path).data_set_offset :]


@pytest.fixture
def native(image, tmp_path) -> Path:
    return save(image, tmp_path / "native.dcm")


@pytest.fixture
def compressed(native, tmp_path, lazy_codecs) -> Path:
    """The same in RLE."""
    path = tmp_path / "rle.dcm"
    lazy_codecs.transcode(native, path, [RLE.uid], Codecs().options())
    return path


def current(store: Store, instance_id: str) -> Version:
    found = Instances(store.engine).current(instance_id)
    assert found is not None
    return found


def pixels(path: Path) -> np.ndarray:
    return dcmread(path).pixel_array


def digests(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.scalars(select(schema.version.c.content_sha256)))


def test_what_comes_is_kept_in_the_syntax_of_the_site_with_the_same_pixels(store, ingest, native):
    version = current(store, keep(ingest(to="j2k"), native))
    path = store.files.path(version.storage_key)
    assert version.transfer_syntax_uid == JPEG2000_LOSSLESS.uid
    assert part10.read_meta(path).transfer_syntax_uid == JPEG2000_LOSSLESS.uid
    assert version.size_bytes == path.stat().st_size
    np.testing.assert_array_equal(pixels(path), pixels(native))


def test_nothing_but_the_result_is_left(store, ingest, native, tmp_path):
    version = current(store, keep(ingest(to="j2k"), native))
    assert list((tmp_path / "data" / "incoming").iterdir()) == []
    assert list(store.files.keys()) == [version.storage_key]


def test_a_repeated_sending_is_recognised_by_what_came(store, ingest, native):
    taking = ingest(to="j2k")
    assert keep(taking, native) == keep(taking, native)
    assert digests(store) == [hashlib.sha256(data_set_of(native)).hexdigest()]
    assert len(list(store.files.keys())) == 1


def test_a_repeated_sending_is_recognised_after_a_crash_that_took_the_row(store, ingest, native):
    taking = ingest(duplicates="reject", to="j2k")
    instance_id = keep(taking, native)
    with store.engine.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            connection.execute(table.delete())
    Recovery(store.engine, store.committer, store.files, "reject").run()
    assert keep(taking, native) == instance_id
    assert digests(store) == [hashlib.sha256(data_set_of(native)).hexdigest()]


@pytest.mark.parametrize(
    ("settings", "came", "kept"),
    [
        ({}, "native", EXPLICIT_LE),
        ({"to": "explicit"}, "native", EXPLICIT_LE),
        ({"to": "explicit"}, "compressed", EXPLICIT_LE),
        ({"to": "explicit", "compressed": False}, "compressed", RLE),
        ({"to": "explicit", "uncompressed": False}, "compressed", EXPLICIT_LE),
        ({"to": "j2k", "uncompressed": False}, "native", EXPLICIT_LE),
        ({"to": "j2k", "compressed": False}, "native", JPEG2000_LOSSLESS),
        ({"to": "j2k", "compressed": False}, "compressed", RLE),
        ({"to": "rle"}, "compressed", RLE),
    ],
)
def test_it_can_be_for_what_comes_compressed_or_uncompressed(
    store, ingest, request, settings, came, kept
):
    path = request.getfixturevalue(came)
    version = current(store, keep(ingest(**settings), path))
    assert version.transfer_syntax_uid == kept.uid


def test_what_cannot_be_transcoded_is_kept_as_it_came(store, ingest, native, capsys):
    """16 bits are too many for JPEG Baseline."""
    version = current(store, keep(ingest(to="jpeg"), native))
    assert version.transfer_syntax_uid == EXPLICIT_LE.uid
    assert store.files.path(version.storage_key).read_bytes().endswith(data_set_of(native))
    assert "instance is kept as it came" in capsys.readouterr().out


def test_what_is_damaged_is_kept_as_it_came(store, ingest, compressed):
    damaged = bytearray(compressed.read_bytes())
    damaged[-ROWS * 4 : -8] = bytes(ROWS * 4 - 8)
    compressed.write_bytes(damaged)
    version = current(store, keep(ingest(to="j2k"), compressed))
    assert version.transfer_syntax_uid == RLE.uid


def test_a_lossy_result_is_another_instance_the_same_each_time(store, ingest, tmp_path):
    eight_bits = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(1, ROWS, COLUMNS)
    path = write_native(tmp_path / "eight.dcm", eight_bits, PatientID="P")
    taking = ingest(to="jpeg")
    instance_id = keep(taking, path)
    version = current(store, instance_id)
    assert version.transfer_syntax_uid == JPEG.uid
    assert version.sop_instance_uid != part10.read_meta(path).sop_instance_uid
    assert keep(taking, path) == instance_id
    assert len(list(store.files.keys())) == 1


class TestDiscard:
    def test_what_is_there_already_is_kept_and_the_sender_is_content(self, store, receive, made_ct):
        first = current(store, receive(made_ct(), duplicates="discard"))
        again = receive(made_ct(PatientComments="other"), duplicates="discard")
        assert current(store, again) == first
        assert list(store.files.keys()) == [first.storage_key]
        with store.engine.connect() as connection:
            assert len(connection.execute(select(schema.event)).all()) == 1

    def test_others_refuse_it(self, receive, made_ct):
        receive(made_ct(), duplicates="reject")
        with pytest.raises(DuplicateRefused):
            receive(made_ct(PatientComments="other"), duplicates="reject")
