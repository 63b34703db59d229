"""Who waits to be admitted to the receiver and who is, and that neither gets out of hand."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from gateway.dimse.policy import Accept, Reject

# Connections that have not said yet who they are: enough for a crowd of real peers, whose request
# comes at once, and a bound on the threads that silent ones cost.
MAXIMUM_WAITING = 128
# A connection that has said nothing for so long makes way when others wait for its place.
COURTESY_S = 1.0


class Member(Protocol):
    """An association, as the crowd sees it; all of it is called by other threads than its own."""

    def finish(self) -> None:
        """End after the message that is under way."""

    def cut(self, reason: str) -> None:
        """End now."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its thread."""


class Crowd:
    """The associations of one receiver."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Member, float] = {}  # since when; oldest first
        self._open: set[Member] = set()
        self._ending: set[Member] = set()

    def enter(self, member: Member) -> None:
        """Count a new connection; wait for room first. The oldest silent one has to make way."""
        with self._changed:
            while len(self._waiting) >= MAXIMUM_WAITING:
                oldest, since = next(iter(self._waiting.items()))
                left_s = since + COURTESY_S - time.monotonic()
                if left_s <= 0:
                    oldest.cut("said nothing, and others waited")
                    left_s = COURTESY_S
                self._changed.wait(left_s)
            self._waiting[member] = time.monotonic()

    def admit(self, member: Member, judge: Callable[[int], Accept | Reject]) -> Accept | Reject:
        """Ask `judge(open associations)`, and count the member as open if it is accepted.

        One after the other, so that two that come at once do not both take the last place.
        """
        with self._changed:
            verdict = judge(len(self._open))
            if isinstance(verdict, Accept):
                self._waiting.pop(member, None)
                self._open.add(member)
                self._changed.notify_all()
            return verdict

    def part(self, member: Member) -> None:
        """The member is done: its place is free, though it may still say goodbye to its peer.

        Before the last PDU, upon which the peer may come again and must find the place.
        """
        with self._changed:
            self._open.discard(member)
            self._ending.add(member)
            self._changed.notify_all()

    def leave(self, member: Member) -> None:
        """The member's thread is about to end."""
        with self._changed:
            self._waiting.pop(member, None)
            self._open.discard(member)
            self._ending.discard(member)
            self._changed.notify_all()

    def dissolve(self, grace_s: float) -> None:
        """Let messages that are under way end, for so long; cut what is left."""
        with self._changed:
            for member in self._waiting:
                member.cut("the receiver stops")
            for member in self._open:
                member.finish()
            self._changed.wait_for(lambda: not self._open, grace_s)
            unfinished = [*self._waiting, *self._open]
            for member in unfinished:
                member.cut("the receiver stops")
            remaining = [*unfinished, *self._ending]
        for member in remaining:
            member.join(timeout=5)
