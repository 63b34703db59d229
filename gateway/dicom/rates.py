"""Which option says how much a transfer syntax may lose, and whether a result loses anything.

Some syntaxes always lose (JPEG, JPEG XL), some only when asked to: JPEG-LS near-lossless (PS3.5
A.4.3), JPEG 2000 (A.4.4) and HTJ2K (A.4.9) hold either kind, and are filled without loss unless a
rate is given.
"""

from collections.abc import Iterable, Mapping

from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import TransferSyntax
from gateway.model import TranscodeOptions

# The other lossy syntaxes are passed through only: nobody here writes video.
_ALWAYS_LOSE = tuple(
    syntaxes.lookup(keyword).uid for keyword in ("JPEGBaseline8Bit", "JPEGExtended12Bit", "JPEGXL")
)
RATE_OF: Mapping[str, str] = {
    **dict.fromkeys(_ALWAYS_LOSE, "quality"),
    syntaxes.lookup("JPEGLSNearLossless").uid: "max_error",
    syntaxes.lookup("JPEG2000").uid: "ratio",
    # By its UID: "htj2k", in lower case, is the short name of the lossless syntax.
    syntaxes.lookup("1.2.840.10008.1.2.4.203").uid: "ratio",
}
RATES = ("quality", "ratio", "max_error")
AS_STORED = "*"
_WILDCARDS = frozenset("*?[")


def loses(syntax: TransferSyntax, options: TranscodeOptions) -> bool:
    """True when writing pixels in this syntax, with these options, changes them."""
    if syntax.uid in _ALWAYS_LOSE:
        return True
    rate = RATE_OF.get(syntax.uid)
    return rate is not None and getattr(options, rate) is not None


def idle_rates(ladder: Iterable[TransferSyntax], options: TranscodeOptions) -> tuple[str, ...]:
    """The rates that the options give and no syntax of the ladder knows: they cannot be meant."""
    known = {RATE_OF.get(syntax.uid) for syntax in ladder}
    return tuple(rate for rate in RATES if getattr(options, rate) is not None and rate not in known)


def with_rate(rate: str) -> str:
    """The keywords of the syntaxes that know a rate, for people to read."""
    return ", ".join(syntaxes.label(uid) for uid, name in RATE_OF.items() if name == rate)


def rungs_of(entry: str, stored_uid: str = "") -> tuple[TransferSyntax, ...]:
    """What one entry of a destination's ladder allows: the syntax of that name, or of a pattern.

    A pattern never lets an image lose anything: of the lossy syntaxes that it matches, it allows
    only the one in which the image is stored already. Raises UnknownTransferSyntax.
    """
    if _WILDCARDS.isdisjoint(entry):
        return (syntaxes.lookup(entry),)
    matching = syntaxes.matching((entry,))
    return tuple(syntax for syntax in matching if not syntax.lossy or syntax.uid == stored_uid)


def made_for(ladder: Iterable[str]) -> tuple[TransferSyntax, ...]:
    """All that transcoding for a destination with this ladder can end in."""
    named = (entry for entry in ladder if entry != AS_STORED)
    return tuple(syntax for entry in named for syntax in rungs_of(entry))
