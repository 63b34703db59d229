"""What to propose to a destination, and what to send of what it accepts. Pure decisions.

Standard: PS3.8 7.1.1.13, PS3.4 B.3.1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.dicom import syntaxes
from gateway.dicom.rates import AS_STORED, rungs_of
from gateway.errors import NoAcceptableSyntax

# Their identifiers are the odd numbers of one byte: PS3.8 9.3.2.2.
MAXIMUM_CONTEXTS = 128

_NATIVE = (syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid)


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context with a single transfer syntax: its answer says what the peer takes."""

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Need:
    """An instance to be sent: its class, its syntax as stored, and the ladder it may go down."""

    sop_class_uid: str
    stored: str
    ladder: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to send an instance in, of what its ladder allows and the peer accepts.

    ladder: transfer syntax UIDs to transcode to, the first that the image allows; empty when it
    goes as stored at once. as_stored: when the image allows none, it goes as stored.
    """

    ladder: tuple[str, ...]
    as_stored: bool


def rungs(ladder: Sequence[str], stored: str) -> tuple[str, ...]:
    """The transfer syntax UIDs that a destination's ladder allows, best first, without repeats.

    ladder: `Destination.syntaxes`; `*` stands for the syntax as stored. "As stored" alone would
    make an instance undeliverable to a peer that does not take its compression, so `*` also allows,
    last of all, the native syntaxes: every peer takes Implicit VR (PS3.5 10.1), and nothing is
    lost in them.
    """
    allowed: list[str] = []
    for entry in ladder:
        if entry in (AS_STORED, stored):
            allowed.append(stored)
        else:
            allowed.extend(syntax.uid for syntax in rungs_of(entry, stored))
    if AS_STORED in ladder:
        allowed.extend(_NATIVE)
    return tuple(dict.fromkeys(allowed))


def propose(needed: Iterable[Need]) -> tuple[Context, ...]:
    """The contexts for a batch: at most 128, those that matter most first.

    Each rung of each ladder is a context of its own. When there are too many, every class keeps
    first what it is stored in, then the native syntaxes, then its best rungs.
    """
    ranked = [
        (_rank(uid, place, need.stored), Context(need.sop_class_uid, uid))
        for need in needed
        for place, uid in enumerate(rungs(need.ladder, need.stored))
    ]
    ranked.sort(key=lambda entry: (entry[0], entry[1].sop_class_uid))
    return tuple(dict.fromkeys(context for _rank_, context in ranked))[:MAXIMUM_CONTEXTS]


def _rank(uid: str, place: int, stored: str) -> tuple[int, int]:
    if uid == stored:
        return 0, 0
    if uid in _NATIVE:
        return 1, _NATIVE.index(uid)
    return 2, place


def choose(need: Need, accepted: frozenset[str]) -> Choice:
    """Which transfer syntaxes to try for an instance, best first.

    What comes after the syntax as stored is never needed: that one the image surely allows.
    accepted: what the peer takes for its SOP class. Raises NoAcceptableSyntax.
    """
    allowed = rungs(need.ladder, need.stored)
    usable = tuple(uid for uid in allowed if uid in accepted)
    if not usable:
        raise NoAcceptableSyntax(
            f"stored in {syntaxes.label(need.stored)}; the destination accepts "
            f"{_labels(accepted)}; what may be sent to it is {_labels(allowed)}"
        )
    if need.stored in usable:
        return Choice(usable[: usable.index(need.stored)], as_stored=True)
    return Choice(usable, as_stored=False)


def _labels(uids: Iterable[str]) -> str:
    return ", ".join(sorted(syntaxes.label(uid) for uid in uids)) or "nothing"
