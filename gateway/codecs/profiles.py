"""What each encapsulated transfer syntax may hold, and how it calls its colours: pure tables.

Standard: PS3.5 8.2.1-8.2.4, 8.2.14-8.2.17, with their tables; PS3.3 C.7.6.3.1.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.codecs.image import YBR_FULL_422, Image
from gateway.dicom.syntaxes import Family, TransferSyntax

Colours = Mapping[str, tuple[str, ...]]
"""Photometric interpretation in memory -> those that the target can give it, usual one first."""

_AS_IN_MEMORY: Colours = {"RGB": ("RGB",), "YBR_FULL": ("YBR_FULL",)}
_RCT: Colours = {"RGB": ("YBR_RCT", "RGB"), "YBR_FULL": ("YBR_FULL",)}
_ICT: Colours = {"RGB": ("YBR_ICT", "RGB"), "YBR_FULL": ("YBR_FULL",)}
_JPEG: Colours = {"RGB": (YBR_FULL_422, "RGB"), "YBR_FULL": (YBR_FULL_422,)}


@dataclass(frozen=True, slots=True)
class Profile:
    """What one syntax may hold.

    bits: allowed Bits Stored. keeps_unused_bits: whole words are coded, with what is above High
    Bit. lossy_colours: those of a result that loses something, where they differ.
    """

    bits: range
    signed: bool = True
    palette: bool = True
    keeps_unused_bits: bool = False
    colours: Colours = field(default_factory=lambda: _AS_IN_MEMORY)
    lossy_colours: Colours | None = None


_LOSSLESS_JPEG = Profile(range(1, 17))
_JPEG_LS = Profile(range(2, 17))
_JPEG2000 = Profile(range(1, 17), colours=_RCT, lossy_colours=_ICT)
_J = "1.2.840.10008.1.2.4."
_NEAR_LOSSLESS, _HTJ2K = _J + "81", _J + "203"

PROFILES: Mapping[str, Profile] = {
    _J + "50": Profile(range(1, 9), signed=False, palette=False, colours=_JPEG),
    _J + "51": Profile(range(1, 13), signed=False, palette=False, colours={}),
    _J + "57": _LOSSLESS_JPEG,
    _J + "70": _LOSSLESS_JPEG,
    _J + "80": _JPEG_LS,
    _J + "81": replace(_JPEG_LS, palette=False),
    _J + "90": _JPEG2000,
    _J + "91": replace(_JPEG2000, palette=False),
    _J + "110": Profile(range(1, 17), signed=False, colours={"RGB": ("RGB",)}),
    _J + "112": Profile(range(1, 17), signed=False, palette=False, colours={"RGB": ("XYB",)}),
    _J + "201": _JPEG2000,
    _J + "202": _JPEG2000,
    _J + "203": replace(_JPEG2000, palette=False),
    "1.2.840.10008.1.2.5": Profile(range(1, 17), keeps_unused_bits=True),
}
# YBR_FULL has 8 bits in these (PS3.5 tables 8.2.2-1 and 8.2.3-1).
_8_BIT_YBR = (Family.RLE, Family.JPEG_LS)

# Codestreams of the first are codestreams of the second as well: only the label changes.
_CONTAINED_IN: Mapping[str, tuple[str, ...]] = {
    _J + "50": (_J + "51",),
    _J + "70": (_J + "57",),
    _J + "80": (_J + "81",),
    _J + "90": (_J + "91",),
    _J + "201": (_J + "203",),
    _J + "202": (_J + "201", _J + "203"),
}


def is_contained(source: TransferSyntax, target: TransferSyntax) -> bool:
    """Whether every codestream of `source` is one of `target`, too."""
    return target.uid in _CONTAINED_IN.get(source.uid, ())


def refusal(image: Image, target: TransferSyntax) -> str:
    """Why this image cannot be held by this encapsulated syntax, whatever its codec; "" if it can.

    image: as it is in memory; its photometric interpretation is looked at by `photometrics`.
    """
    profile = PROFILES[target.uid]
    name = target.keyword
    if image.bits_stored > 16:
        return "samples of more than 16 bits stay native"
    if image.bits_allocated not in (8, 16):
        return f"samples of {image.bits_allocated} bit stay native"
    if image.bits_stored not in profile.bits:
        return f"{name} holds {profile.bits.start} to {profile.bits.stop - 1} bits, not" + (
            f" {image.bits_stored}"
        )
    if image.signed and (not profile.signed or image.samples > 1):
        return f"{name} holds no signed samples" + (" of colours" if profile.signed else "")
    if image.photometric == "PALETTE COLOR" and not profile.palette:
        return f"{name} may be lossy, and a palette colour that is off by one is another colour"
    if image.photometric == "YBR_FULL" and image.bits_stored > 8 and target.family in _8_BIT_YBR:
        return f"{name} holds YBR_FULL of 8 bits only"
    return ""


def photometrics(in_memory: str, target: TransferSyntax, *, loses: bool) -> tuple[str, ...]:
    """The photometric interpretations that the target can give to colours that are `in_memory`.

    The usual one is the first; none when the target holds no such colours. target may be native.
    """
    profile = PROFILES.get(target.uid)
    if profile is None:
        return _AS_IN_MEMORY.get(in_memory, ())
    colours = profile.lossy_colours if loses and profile.lossy_colours else profile.colours
    return colours.get(in_memory, ())


def all_photometrics(target: TransferSyntax) -> frozenset[str]:
    """Every photometric interpretation of colours that the encapsulated target knows."""
    profile = PROFILES[target.uid]
    tables = (profile.colours, profile.lossy_colours or {})
    return frozenset(name for table in tables for names in table.values() for name in names)


def result_depth(image: Image, target: TransferSyntax, *, loses: bool) -> Image:
    """The image with the bits that the target demands (PS3.5 table 8.2.1-1), else as it is."""
    if target.uid == _J + "50" or (target.uid == _J + "51" and image.bits_stored <= 8):
        return _with_bits(image, 8, 8)
    if target.uid == _J + "51":
        return _with_bits(image, 16, 12)
    if target.uid == _HTJ2K and loses:
        # OpenJPH is told of 8 or 16 bits only, and what overshoots is not cut off at fewer.
        return _with_bits(image, image.bits_allocated, image.bits_allocated)
    if target.uid == _NEAR_LOSSLESS and loses and image.bits_allocated == 16:
        return _with_bits(image, 16, max(9, image.bits_stored))  # which are coded (jpegls.py)
    return image


def _with_bits(image: Image, allocated: int, stored: int) -> Image:
    return replace(image, bits_allocated=allocated, bits_stored=stored, high_bit=stored - 1)


def keeps_unused_bits(target: TransferSyntax) -> bool:
    """Whether bits above High Bit survive in the target."""
    profile = PROFILES.get(target.uid)
    return profile is None or profile.keeps_unused_bits


_LOSSLESS_INSTEAD = {_J + "50": _J + "70", _J + "51": _J + "70", _J + "112": _J + "110"}


def lossless_instead(uid: str) -> str:
    """The syntax to fall back to when a lossy result is not good enough: the same if it can."""
    return _LOSSLESS_INSTEAD.get(uid, uid)
