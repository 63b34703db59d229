"""What the tests of several rooms share: made images, their bytes, and a store to keep them in.

That this file is here also puts tests/ on the import path, for the `..._support` modules.
"""

import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from http_support import make_certificate
from hypothesis import HealthCheck, settings
from images import made_ct
from pydicom import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage
from rest_support import GatewayApi, LazyCodecs, unchanged
from store_support import opened_store, store_ingest

from gateway.dicom import syntaxes
from gateway.model import Action, Origin, OriginKind
from gateway.store.opened import Store

# How long an example takes says something of the machine, and of what else it is busy with.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

MakeCt = Callable[..., Dataset]
Receive = Callable[..., str]
ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key, as PEM files."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session", name="made_ct")
def _made_ct() -> MakeCt:
    """Make a CT image: `made_ct(number, rows=, columns=, PatientID=...)`, see images.py."""
    return made_ct


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
def waiting_now() -> list[tuple[Action, str]]:
    """What the store has told of: the kinds of tasks that began to wait."""
    return []


@pytest.fixture
def store(tmp_path: Path, waiting_now: list[tuple[Action, str]]) -> Iterator[Store]:
    """An open store in a folder of its own; its thread is gone afterwards."""
    before = set(threading.enumerate())
    opened = opened_store(tmp_path / "data", lambda *kind: waiting_now.append(kind))
    yield opened
    opened.close()
    assert not {t.name for t in set(threading.enumerate()) - before if t.name == "committer"}


@pytest.fixture
def receive(store: Store) -> Receive:
    """Keep a data set as if it had come over the network; answers the instance id.

    `receive(dataset, announced=, syntax_uid=, data=, **changes)`: announced is the SOP Instance UID
    of the request; data are the bytes when they are not the data set's; changes as store_ingest().
    """

    def keep(
        dataset: Dataset,
        *,
        announced: str | None = None,
        syntax_uid: str = syntaxes.EXPLICIT_LE.uid,
        data: bytes | None = None,
        **changes: object,
    ) -> str:
        ingest = store_ingest(store, **changes)
        with ingest.begin(
            sop_class_uid=str(dataset.get("SOPClassUID", CTImageStorage)),
            sop_instance_uid=announced or str(dataset.SOPInstanceUID),
            transfer_syntax_uid=syntax_uid,
            origin=ORIGIN,
        ) as arrival:
            arrival.write(encoded(dataset) if data is None else data)
            return arrival.keep()

    return keep


@pytest.fixture(scope="session")
def lazy_codecs() -> Iterator[LazyCodecs]:
    """Codec processes for all tests that transcode, started by the first of them."""
    codecs = LazyCodecs()
    yield codecs
    codecs.close()


@pytest.fixture
def gateway_api(tmp_path: Path, lazy_codecs: LazyCodecs) -> Iterator[GatewayApi]:
    """All routes of the REST interface over a store of its own, called without a socket."""
    api = GatewayApi(tmp_path, lazy_codecs)
    yield api
    api.close()


@pytest.fixture(scope="session")
def _one_empty_api(
    tmp_path_factory: pytest.TempPathFactory, lazy_codecs: LazyCodecs
) -> Iterator[GatewayApi]:
    api = GatewayApi(tmp_path_factory.mktemp("empty"), lazy_codecs)
    yield api
    api.close()


@pytest.fixture
def empty_api(_one_empty_api: GatewayApi) -> Iterator[GatewayApi]:
    """The same, shared by all tests that leave its store empty."""
    with unchanged(_one_empty_api) as api:
        yield api
