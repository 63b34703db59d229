"""What the tests of several rooms share: made images, their bytes, and a store to keep them in.

That this file is here also puts tests/ on the import path, for the `..._support` modules.
"""

import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage

from gateway.dicom import syntaxes
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind
from gateway.store.ingest import StoreIngest
from gateway.store.opened import Store, open_store

MakeCt = Callable[..., Dataset]
Receive = Callable[..., str]
ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


@pytest.fixture(scope="session")
def made_ct() -> MakeCt:
    """Make a CT image: `made_ct(number, rows=, columns=, PatientID=...)`.

    number gives it its SOP Instance UID; other keywords replace attributes, None removes one.
    """
    return _make_ct


def _make_ct(number: int = 1, *, rows: int = 4, columns: int = 4, **attributes: object) -> Dataset:
    image = Dataset()
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{number}"
    image.Modality = "CT"
    image.PatientName = "Made^Up"
    image.PatientID = "MADE-1"
    image.StudyInstanceUID = "1.2.826.0.1.3680043.10.2"
    image.SeriesInstanceUID = "1.2.826.0.1.3680043.10.3"
    image.InstanceNumber = number
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = rows, columns
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    slope = (index * 37 % 4096 for index in range(rows * columns))
    image.add_new("PixelData", "OW", b"".join(value.to_bytes(2, "little") for value in slope))
    for keyword, value in attributes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


def encoded(dataset: Dataset, syntax_uid: str = syntaxes.EXPLICIT_LE.uid) -> bytes:
    """The data set as it travels, in a native syntax: no preamble, no file meta information."""
    syntax = syntaxes.lookup(syntax_uid)
    buffer = DicomIO(BytesIO())
    buffer.is_little_endian = syntax.is_little_endian
    buffer.is_implicit_VR = syntax.is_implicit_vr
    write_dataset(buffer, dataset)
    return buffer.parent.getvalue()


@pytest.fixture(scope="session")
def data_set_bytes() -> Callable[..., bytes]:
    """Encode a data set as it travels: `data_set_bytes(dataset, syntax_uid)`."""
    return encoded


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store in a folder of its own; its thread is gone afterwards."""
    before = set(threading.enumerate())
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()
    assert not {t.name for t in set(threading.enumerate()) - before if t.name == "committer"}


@pytest.fixture
def receive(store: Store) -> Receive:
    """Keep a data set as if it had come over the network; answers the instance id.

    `receive(dataset, duplicates=, announced=, syntax_uid=, data=, metrics=, on_stored=)`: announced
    is the SOP Instance UID of the request; data are the bytes when they are not the data set's.
    """

    def keep(
        dataset: Dataset,
        *,
        duplicates: str = "overwrite",
        announced: str | None = None,
        syntax_uid: str = syntaxes.EXPLICIT_LE.uid,
        data: bytes | None = None,
        minimum_free_bytes: int = 0,
        metrics: Metrics | None = None,
        on_stored: Callable[[], None] = lambda: None,
    ) -> str:
        ingest = StoreIngest(
            store.files,
            store.committer,
            duplicates=duplicates,  # type: ignore[arg-type]
            minimum_free_bytes=minimum_free_bytes,
            metrics=metrics or Metrics(),
            on_stored=on_stored,
        )
        with ingest.begin(
            sop_class_uid=str(dataset.get("SOPClassUID", CTImageStorage)),
            sop_instance_uid=announced or str(dataset.SOPInstanceUID),
            transfer_syntax_uid=syntax_uid,
            origin=ORIGIN,
        ) as arrival:
            arrival.write(encoded(dataset) if data is None else data)
            return arrival.keep()

    return keep
