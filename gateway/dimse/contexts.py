"""What to propose to a destination, and what to send of what it accepts. Pure decisions.

Standard: PS3.8 7.1.1.13, PS3.4 B.3.1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.dicom import syntaxes
from gateway.errors import NoAcceptableSyntax

# Their identifiers are the odd numbers of one byte: PS3.8 9.3.2.2.
MAXIMUM_CONTEXTS = 128
AS_STORED = "*"

_NATIVE = (syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid)


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context with a single transfer syntax: its answer says what the peer takes."""

    sop_class_uid: str
    transfer_syntax_uid: str


def rungs(ladder: Sequence[str], stored: str) -> tuple[str, ...]:
    """The transfer syntax UIDs that a destination's ladder allows, best first, without repeats.

    ladder: `Destination.syntaxes`; `*` stands for the syntax as stored. "As stored" alone would
    make an instance undeliverable to a peer that does not take its compression, so `*` also allows,
    last of all, the native syntaxes: every peer takes Implicit VR (PS3.5 10.1), and nothing is
    lost in them.
    """
    allowed: list[str] = []
    for name in ladder:
        if name == AS_STORED:
            allowed.append(stored)
        else:
            allowed.extend(syntax.uid for syntax in syntaxes.matching((name,)))
    if AS_STORED in ladder:
        allowed.extend(_NATIVE)
    return tuple(dict.fromkeys(allowed))


def propose(needed: Iterable[tuple[str, str]], ladder: Sequence[str]) -> tuple[Context, ...]:
    """The contexts for a batch: at most 128, those that matter most first.

    needed: SOP class UID and transfer syntax UID, as stored, of each instance to be sent.
    Each rung of the ladder is a context of its own. When there are too many, every class keeps
    first what it is stored in, then the native syntaxes, then its best rungs.
    """
    ranked = [
        (_rank(uid, place, stored), Context(sop_class_uid, uid))
        for sop_class_uid, stored in sorted(set(needed))
        for place, uid in enumerate(rungs(ladder, stored))
    ]
    ranked.sort(key=lambda entry: entry[0])
    return tuple(dict.fromkeys(context for _rank_, context in ranked))[:MAXIMUM_CONTEXTS]


def _rank(uid: str, place: int, stored: str) -> tuple[int, int]:
    if uid == stored:
        return 0, 0
    if uid in _NATIVE:
        return 1, _NATIVE.index(uid)
    return 2, place


def choose_syntax(stored: str, accepted: frozenset[str], ladder: Sequence[str]) -> str:
    """The transfer syntax UID to send an instance in.

    accepted: what the peer takes for its SOP class. Raises NoAcceptableSyntax.
    """
    allowed = rungs(ladder, stored)
    for uid in allowed:
        if uid in accepted:
            return uid
    raise NoAcceptableSyntax(
        f"stored in {syntaxes.label(stored)}; the destination accepts {_labels(accepted)}; "
        f"its configuration allows {_labels(allowed)}"
    )


def _labels(uids: Iterable[str]) -> str:
    return ", ".join(sorted(syntaxes.label(uid) for uid in uids)) or "nothing"
