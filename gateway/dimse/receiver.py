"""The receiver: listens, and stops in good order.

What an association does is in `inbound.py`; who is admitted is decided in `policy.py`.
"""

import socket
import threading
from collections.abc import Set
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pynetdicom import AE
from pynetdicom.presentation import build_context
from pynetdicom.transport import AssociationServer

from gateway import logs
from gateway.config.models import Dicom
from gateway.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from gateway.dimse.crowd import Crowd
from gateway.dimse.inbound import House, InboundAssociation
from gateway.dimse.policy import VERIFICATION, Policy
from gateway.errors import CannotListen
from gateway.metrics import Metrics
from gateway.ports import UNFILTERED, Filters, Ingest

_log = logs.logger("dimse")


class Receiver:
    """Our C-STORE and C-ECHO SCP; implements Reception. Use: start(), then stop() once."""

    def __init__(
        self,
        settings: Dicom,
        ingest: Ingest,
        metrics: Metrics,
        filters: Filters = UNFILTERED,
    ) -> None:
        self._settings = settings
        self._house = House(
            Policy.of(settings), ingest, metrics, Crowd(), settings.idle_timeout_s, filters
        )
        self._door: _Door | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen; answer the port, which is a free one if the configuration says 0.

        Raises CannotListen.
        """
        settings = self._settings
        try:
            door = _Door(_entity(settings), (settings.host, settings.port), self._house)
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise CannotListen(settings.host, settings.port, reason) from exc
        self._door = door
        self._thread = threading.Thread(
            target=door.serve_forever, name="dimse-listener", daemon=True
        )
        self._thread.start()
        port = int(door.server_address[1])
        _log.info("receiver listens", aet=settings.aet, host=settings.host, port=port)
        return port

    @property
    def transfer_syntaxes(self) -> Set[str]:
        """See Reception."""
        return self._house.policy.transfer_syntaxes

    def accept_transfer_syntaxes(self, uids: Set[str]) -> None:
        """See Reception."""
        self._house.policy = replace(self._house.policy, transfer_syntaxes=frozenset(uids))

    @property
    def accepts_unknown_sop_classes(self) -> bool:
        """See Reception."""
        return self._house.policy.accept_unknown_sop_classes

    def accept_unknown_sop_classes(self, accept: bool) -> None:
        """See Reception."""
        self._house.policy = replace(self._house.policy, accept_unknown_sop_classes=accept)

    def stop(self, grace_s: float) -> None:
        """Refuse new associations, let running C-STOREs finish for so long, then abort."""
        if self._door is None or self._thread is None:
            return
        self._door.stop()
        self._house.crowd.dissolve(grace_s)
        self._thread.join()
        self._door = self._thread = None
        _log.info("receiver stopped")


def _entity(settings: Dicom) -> AE:
    entity = AE(settings.aet)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = settings.maximum_pdu_bytes
    entity.acse_timeout = settings.acse_timeout_s
    entity.dimse_timeout = settings.dimse_timeout_s
    entity.network_timeout = settings.idle_timeout_s
    # Our own policy counts; upstream's count would include those that are still to be judged.
    entity.maximum_associations = 1_000_000
    return entity


class _Door(AssociationServer):
    """Accepts connections; one association, with a thread of its own, for each."""

    request_queue_size = 512

    def __init__(self, ae: AE, address: tuple[str, int], house: House) -> None:
        # The contexts of an association are chosen when its request is known.
        super().__init__(ae, address, ae.ae_title, [build_context(VERIFICATION)])
        self._house = house

    def stop(self) -> None:
        """Accept no more. What is open stays so."""
        # Upstream looks for its end twice a second, and whenever somebody knocks: so knock.
        if self.socket is not None:
            with suppress(OSError):  # some systems know no shutdown of what only listens
                self.socket.shutdown(socket.SHUT_RDWR)
        super(AssociationServer, self).shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin an association, unless the address may not connect."""
        remote_ip = client_address[0]
        if not self._house.policy.may_connect(remote_ip):
            _log.warning("connection refused", remote_ip=remote_ip, reason="not in dicom.networks")
            self.shutdown_request(request)
            return
        association = InboundAssociation(self.ae, request, client_address, self._house)
        self._house.crowd.enter(association)
        try:
            association.start()
        except RuntimeError:  # no more threads are to be had
            self._house.crowd.leave(association)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line instead of a traceback on standard error; the listener goes on."""
        _log.exception("connection failed", remote_ip=client_address[0])

    def service_actions(self) -> None:
        """Nothing: upstream collects garbage here, a pause for all associations."""
