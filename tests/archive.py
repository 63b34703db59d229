"""A storage SCP that counts what arrives: the destination of tests."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ports import free_port
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AE, AllStoragePresentationContexts, evt
from serving import serving

EVERYTHING = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless)


class Archive:
    """Use listening(), also again and again, on the same port.

    deliveries: SOP Instance UID -> how often it arrived. files: the last of each, as Part 10 bytes.
    """

    def __init__(self, syntaxes: Sequence[str] = EVERYTHING) -> None:
        self.port = free_port()
        self.deliveries: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self._arrived = threading.Condition()
        self._entity = AE("ARCHIVE")
        self._entity.maximum_associations = 50
        for context in AllStoragePresentationContexts:
            self._entity.add_supported_context(context.abstract_syntax, list(syntaxes))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """It is up for the block."""
        with serving(self._entity, [(evt.EVT_C_STORE, self._on_store)], port=self.port):
            yield

    def destination(self, name: str) -> str:
        """A line of gateway.toml."""
        return (
            f"destinations.{name} = {{aet = 'ARCHIVE', host = '127.0.0.1', port = {self.port}}}\n"
        )

    def wait_for(self, instances: int, timeout_s: float = 60) -> None:
        """Return when so many different instances have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.deliveries) >= instances, timeout_s), (
                f"{len(self.deliveries)} of {instances} arrived"
            )

    def _on_store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        with self._arrived:
            self.deliveries[uid] = self.deliveries.get(uid, 0) + 1
            self.files[uid] = event.encoded_dataset()
            self._arrived.notify_all()
        return 0x0000
