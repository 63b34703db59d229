"""What the tests of the DICOM network share: an ingest of files, peers on sockets."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context
from serving import serving

from gateway.config.models import Dicom
from gateway.dicom import part10
from gateway.dimse.receiver import Receiver
from gateway.metrics import Metrics
from gateway.model import Origin

CT = str(CTImageStorage)
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = str(ExplicitVRLittleEndian)
IMPLICIT = str(ImplicitVRLittleEndian)
J2K = "1.2.840.10008.1.2.4.90"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def data_set_of(path: Path) -> bytes:
    """The bytes after the file meta information."""
    return path.read_bytes()[part10.read_meta(path).data_set_offset :]


@dataclass(frozen=True)
class Kept:
    """One data set that a FolderIngest kept."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    origin: Origin

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


class FolderIngest:
    """An Ingest of plain files, which fails as a test wants.

    fail_begin, fail_write, fail_keep: raised there. hold: when set to an Event, keep() waits for
    it; `holding` tells that it does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[Kept] = []
        self.fail_begin: Exception | None = None
        self.fail_write: Exception | None = None
        self.fail_keep: Exception | None = None
        self.hold: threading.Event | None = None
        self.holding = threading.Event()
        self.writing = threading.Event()
        self._count = 0
        self._lock = threading.Lock()

    def begin(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        origin: Origin,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> "FolderArrival":
        if self.fail_begin:
            raise self.fail_begin
        with self._lock:
            self._count += 1
            path = self.folder / f"{self._count:06}"
        return FolderArrival(
            self, Kept(path, sop_class_uid, sop_instance_uid, transfer_syntax_uid, origin)
        )

    @property
    def leftovers(self) -> list[Path]:
        """Files that were begun and neither kept nor removed."""
        return sorted(set(self.folder.iterdir()) - {kept.path for kept in self.kept})


class FolderArrival:
    def __init__(self, ingest: FolderIngest, kept: Kept) -> None:
        self._ingest = ingest
        self._kept = kept
        self._is_kept = False
        self._file = kept.path.open("wb")

    def __enter__(self) -> "FolderArrival":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()
        if not self._is_kept:
            self._kept.path.unlink()

    def write(self, fragment: bytes | memoryview) -> None:
        if self._ingest.fail_write:
            raise self._ingest.fail_write
        self._file.write(fragment)
        self._ingest.writing.set()

    def keep(self) -> str:
        if self._ingest.hold:
            self._ingest.holding.set()
            assert self._ingest.hold.wait(20)
        if self._ingest.fail_keep:
            raise self._ingest.fail_keep
        self._file.close()
        self._is_kept = True
        self._ingest.kept.append(self._kept)
        return hashlib.sha1(self._kept.sop_instance_uid.encode()).hexdigest()


@dataclass
class Running:
    """A receiver that listens, and what a test may look at."""

    port: int
    ingest: FolderIngest
    metrics: Metrics
    receiver: Receiver

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels or None) or 0


@contextmanager
def receiving(folder: Path, **settings: Any) -> Iterator[Running]:
    """A receiver on a free port of this machine; afterwards none of its threads is left."""
    folder.mkdir(exist_ok=True)
    ingest, metrics = FolderIngest(folder), Metrics()
    values = {"host": "127.0.0.1", "port": 0, **settings}
    receiver = Receiver(Dicom.model_validate(values), ingest, metrics)
    running = Running(receiver.start(), ingest, metrics, receiver)
    try:
        yield running
    finally:
        receiver.stop(5)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("dimse")]


@contextmanager
def associated(
    port: int,
    contexts: list[tuple[str, list[str]]] | None = None,
    calling_aet: str = "MODALITY",
    called_aet: str = "GATEWAY",
) -> Iterator[Any]:
    """pynetdicom's own SCU, associated (or not: the test looks)."""
    entity = AE(calling_aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    proposed = [build_context(*context) for context in contexts or [(CT, [EXPLICIT])]]
    association = entity.associate("127.0.0.1", port, contexts=proposed, ae_title=called_aet)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


@contextmanager
def storage_scp(
    *,
    status: int | Callable[[Any], Any] = 0x0000,
    contexts: list[tuple[str, list[str]]] | None = None,
    **attributes: Any,
) -> Iterator[tuple[int, list[Any]]]:
    """pynetdicom's own SCP: its port, and (context, data set bytes) of what it received."""
    received: list[Any] = []

    def on_store(event: Any) -> Any:
        received.append((event.context, event.request.DataSet.getvalue()))
        return status(event) if callable(status) else status

    entity = AE("ARCHIVE")
    for name, value in attributes.items():
        setattr(entity, name, value)
    supported = contexts or [(CT, [EXPLICIT, IMPLICIT]), (VERIFICATION, [IMPLICIT])]
    built = [build_context(*context) for context in supported]
    with serving(entity, [(evt.EVT_C_STORE, on_store)], contexts=built) as port:
        yield port, received


def association_request(
    contexts: list[tuple[str, list[str]]] | None = None,
    calling_aet: str = "MODALITY",
    called_aet: str = "GATEWAY",
) -> bytes:
    """An A-ASSOCIATE-RQ, to be written to a socket."""
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = calling_aet, called_aet
    proposed = [build_context(*context) for context in contexts or [(CT, [EXPLICIT])]]
    for place, context in enumerate(proposed):
        context.context_id = 2 * place + 1
    request.presentation_context_definition_list = proposed
    request.maximum_length_received = 16384
    request.implementation_class_uid = "1.2.3"
    return A_ASSOCIATE_RQ(request).encode()


def connect(port: int) -> socket.socket:
    """A TCP connection that gives up after 20 seconds."""
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def read_pdu(sock: socket.socket) -> bytes:
    """One PDU, or what came before the end of the connection."""
    data = b""
    while len(data) < 6 or len(data) < 6 + int.from_bytes(data[2:6], "big"):
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def read_to_end(sock: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    while more := sock.recv(65536):
        data += more
    return data
