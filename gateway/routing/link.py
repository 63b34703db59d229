"""The one association that a forward worker has open, made anew when it no longer serves."""

import time
from collections.abc import Iterable
from pathlib import Path

from gateway.config.models import Destination
from gateway.dimse.contexts import Need, propose
from gateway.dimse.sender import ForwardAssociation, open_association
from gateway.errors import AssociationRejected


class Link:
    """Opened for the instances at hand; kept for `linger_s` after the last one."""

    def __init__(self, destination: Destination, own_aet: str) -> None:
        self._destination = destination
        self._own_aet = destination.calling_aet or own_aet
        self._association: ForwardAssociation | None = None
        self._calling_aet = self._own_aet
        self._proposed: frozenset[Need] = frozenset()
        self._used_at = 0.0

    def open(self, calling_aet: str, needs: Iterable[Need]) -> None:
        """Have an association on which each instance could be sent, as far as the peer agrees.

        calling_aet: ours for this association, "" for the destination's usual one.
        Raises RemoteUnreachable, AssociationRejected; NoAcceptableSyntax for all of them.
        """
        wanted_aet = calling_aet or self._own_aet
        needed = frozenset(needs)
        if self._serves(wanted_aet, needed):
            return
        self.close()
        self._association = open_association(
            self._destination, calling_aet=wanted_aet, contexts=propose(needed)
        )
        self._calling_aet = wanted_aet
        self._proposed = needed
        self._used_at = time.monotonic()

    def accepted(self, sop_class_uid: str) -> frozenset[str]:
        """The transfer syntaxes that the peer took for this SOP class."""
        return self._opened().accepted(sop_class_uid)

    def store(self, path: Path) -> None:
        """Send one file. Raises RemoteError."""
        self._opened().store(path)
        self._used_at = time.monotonic()

    def close_if_idle(self) -> None:
        """Release it when nothing was sent for linger_s."""
        if time.monotonic() - self._used_at >= self._destination.linger_s:
            self.close()

    def close(self) -> None:
        """Release it, if there is one."""
        association, self._association = self._association, None
        if association is not None:
            association.release()

    def _opened(self) -> ForwardAssociation:
        if self._association is None:
            raise AssociationRejected("no association is open")
        return self._association

    def _serves(self, calling_aet: str, needed: frozenset[Need]) -> bool:
        return (
            self._association is not None
            and self._association.is_alive
            and calling_aet == self._calling_aet
            and needed <= self._proposed
        )
