"""Transfer syntaxes: their UIDs, names and properties. Standard: PS3.5 section 10 and Annex A."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Family(StrEnum):
    """The switch of the configuration that a syntax obeys; NATIVE and OTHER have none."""

    NATIVE = "native"
    DEFLATED = "deflated"
    JPEG = "jpeg"
    JPEG_LOSSLESS = "jpeg_lossless"
    JPEG_LS = "jpeg_ls"
    JPEG2000 = "jpeg2000"
    JPIP = "jpip"
    MPEG2 = "mpeg2"
    RLE = "rle"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax. keyword is PS3.6's without spaces; short is what people type."""

    uid: str
    keyword: str
    short: str
    family: Family
    lossy: bool = False

    @property
    def is_encapsulated(self) -> bool:
        """True when Pixel Data is a sequence of fragments (PS3.5 A.4)."""
        return self.family not in (Family.NATIVE, Family.DEFLATED)

    @property
    def is_implicit_vr(self) -> bool:
        """True for the one syntax without VRs in the data set (PS3.5 A.1)."""
        return self.uid == "1.2.840.10008.1.2"

    @property
    def is_little_endian(self) -> bool:
        """False for the retired Explicit VR Big Endian only."""
        return self.uid != "1.2.840.10008.1.2.2"

    @property
    def is_deflated(self) -> bool:
        """True when the whole data set is one deflate stream (PS3.5 A.5)."""
        return self.family is Family.DEFLATED


_J = "1.2.840.10008.1.2.4."

IMPLICIT_LE = TransferSyntax(
    "1.2.840.10008.1.2", "ImplicitVRLittleEndian", "implicit", Family.NATIVE
)
EXPLICIT_LE = TransferSyntax(
    "1.2.840.10008.1.2.1", "ExplicitVRLittleEndian", "explicit", Family.NATIVE
)
JPEG2000_LOSSLESS = TransferSyntax(_J + "90", "JPEG2000Lossless", "j2k", Family.JPEG2000)

ALL: tuple[TransferSyntax, ...] = (
    IMPLICIT_LE,
    EXPLICIT_LE,
    TransferSyntax("1.2.840.10008.1.2.1.98", "EncapsulatedUncompressedExplicitVRLittleEndian", "encapsulated", Family.OTHER),
    TransferSyntax("1.2.840.10008.1.2.1.99", "DeflatedExplicitVRLittleEndian", "deflated", Family.DEFLATED),
    TransferSyntax("1.2.840.10008.1.2.2", "ExplicitVRBigEndian", "big-endian", Family.NATIVE),
    TransferSyntax(_J + "50", "JPEGBaseline8Bit", "jpeg", Family.JPEG, lossy=True),
    TransferSyntax(_J + "51", "JPEGExtended12Bit", "jpeg12", Family.JPEG, lossy=True),
    TransferSyntax(_J + "57", "JPEGLossless", "jpeg-lossless-any", Family.JPEG_LOSSLESS),
    TransferSyntax(_J + "70", "JPEGLosslessSV1", "jpeg-lossless", Family.JPEG_LOSSLESS),
    TransferSyntax(_J + "80", "JPEGLSLossless", "jpegls", Family.JPEG_LS),
    TransferSyntax(_J + "81", "JPEGLSNearLossless", "jpegls-near", Family.JPEG_LS, lossy=True),
    JPEG2000_LOSSLESS,
    TransferSyntax(_J + "91", "JPEG2000", "j2k-lossy", Family.JPEG2000, lossy=True),
    TransferSyntax(_J + "92", "JPEG2000MCLossless", "j2k-mc", Family.JPEG2000),
    TransferSyntax(_J + "93", "JPEG2000MC", "j2k-mc-lossy", Family.JPEG2000, lossy=True),
    TransferSyntax(_J + "94", "JPIPReferenced", "jpip", Family.JPIP),
    TransferSyntax(_J + "95", "JPIPReferencedDeflate", "jpip-deflated", Family.JPIP),
    TransferSyntax(_J + "100", "MPEG2MPML", "mpeg2", Family.MPEG2, lossy=True),
    TransferSyntax(_J + "100.1", "MPEG2MPMLF", "mpeg2-fragmentable", Family.MPEG2, lossy=True),
    TransferSyntax(_J + "101", "MPEG2MPHL", "mpeg2-high", Family.MPEG2, lossy=True),
    TransferSyntax(_J + "101.1", "MPEG2MPHLF", "mpeg2-high-fragmentable", Family.MPEG2, lossy=True),
    TransferSyntax(_J + "102", "MPEG4HP41", "mpeg4", Family.OTHER, lossy=True),
    TransferSyntax(_J + "102.1", "MPEG4HP41F", "mpeg4-fragmentable", Family.OTHER, lossy=True),
    TransferSyntax(_J + "103", "MPEG4HP41BD", "mpeg4-bd", Family.OTHER, lossy=True),
    TransferSyntax(_J + "103.1", "MPEG4HP41BDF", "mpeg4-bd-fragmentable", Family.OTHER, lossy=True),
    TransferSyntax(_J + "104", "MPEG4HP422D", "mpeg4-2d", Family.OTHER, lossy=True),
    TransferSyntax(_J + "104.1", "MPEG4HP422DF", "mpeg4-2d-fragmentable", Family.OTHER, lossy=True),
    TransferSyntax(_J + "105", "MPEG4HP423D", "mpeg4-3d", Family.OTHER, lossy=True),
    TransferSyntax(_J + "105.1", "MPEG4HP423DF", "mpeg4-3d-fragmentable", Family.OTHER, lossy=True),
    TransferSyntax(_J + "106", "MPEG4HP42STEREO", "mpeg4-stereo", Family.OTHER, lossy=True),
    TransferSyntax(_J + "106.1", "MPEG4HP42STEREOF", "mpeg4-stereo-fragmentable", Family.OTHER, lossy=True),
    TransferSyntax(_J + "107", "HEVCMP51", "hevc", Family.OTHER, lossy=True),
    TransferSyntax(_J + "108", "HEVCM10P51", "hevc10", Family.OTHER, lossy=True),
    TransferSyntax(_J + "110", "JPEGXLLossless", "jpegxl-lossless", Family.OTHER),
    TransferSyntax(_J + "111", "JPEGXLJPEGRecompression", "jpegxl-jpeg", Family.OTHER, lossy=True),
    TransferSyntax(_J + "112", "JPEGXL", "jpegxl-lossy", Family.OTHER, lossy=True),
    TransferSyntax(_J + "201", "HTJ2KLossless", "htj2k", Family.JPEG2000),
    TransferSyntax(_J + "202", "HTJ2KLosslessRPCL", "htj2k-rpcl", Family.JPEG2000),
    TransferSyntax(_J + "203", "HTJ2K", "htj2k-lossy", Family.JPEG2000, lossy=True),
    TransferSyntax(_J + "204", "JPIPHTJ2KReferenced", "jpip-htj2k", Family.JPIP),
    TransferSyntax(_J + "205", "JPIPHTJ2KReferencedDeflate", "jpip-htj2k-deflated", Family.JPIP),
    TransferSyntax("1.2.840.10008.1.2.5", "RLELossless", "rle", Family.RLE),
    TransferSyntax("1.2.840.10008.1.2.7.1", "SMPTEST211020UncompressedProgressiveActiveVideo", "smpte-progressive", Family.OTHER),
    TransferSyntax("1.2.840.10008.1.2.7.2", "SMPTEST211020UncompressedInterlacedActiveVideo", "smpte-interlaced", Family.OTHER),
    TransferSyntax("1.2.840.10008.1.2.7.3", "SMPTEST211030PCMDigitalAudio", "smpte-audio", Family.OTHER),
    TransferSyntax("1.2.840.10008.1.2.8.1", "DeflatedImageFrameCompression", "deflated-frames", Family.OTHER),
)  # fmt: skip

_BY_UID = {ts.uid: ts for ts in ALL}
_BY_KEYWORD = {ts.keyword: ts for ts in ALL}
# In any case. A short name goes before a keyword: "htj2k" is lossless, as "j2k" is; PS3.6's "HTJ2K"
# is the syntax that may be lossy.
_BY_NAME = {ts.keyword.lower(): ts for ts in ALL} | {ts.short: ts for ts in ALL}


class UnknownTransferSyntax(ValueError):
    """No transfer syntax has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no transfer syntax is called {name!r}")


def lookup(name: str) -> TransferSyntax:
    """The syntax with this UID, keyword (as PS3.6 writes it, or in any case) or short name.

    Raises UnknownTransferSyntax.
    """
    wanted = name.strip()
    found = _BY_UID.get(wanted) or _BY_KEYWORD.get(wanted) or _BY_NAME.get(wanted.lower())
    if found is None:
        raise UnknownTransferSyntax(name)
    return found


def ladder(names: str) -> tuple[TransferSyntax, ...]:
    """The syntaxes of "htj2k, j2k, explicit": best first, each once. Raises UnknownTransferSyntax.

    One name is a ladder of one rung.
    """
    return tuple(dict.fromkeys(lookup(name) for name in names.split(",")))


def by_uid(uid: str) -> TransferSyntax:
    """The syntax with this UID; for one we do not know, an encapsulated one in Explicit VR LE.

    That is how every syntax of the standard since 1996 is encoded (PS3.5 A.4).
    """
    return _BY_UID.get(uid) or TransferSyntax(uid, uid, uid, Family.OTHER)


def label(uid: str) -> str:
    """The keyword of a UID for people to read; the UID itself when it is not known."""
    return by_uid(uid).keyword


def matching(patterns: Iterable[str]) -> tuple[TransferSyntax, ...]:
    """All syntaxes whose UID, keyword or short name matches one of the patterns (* and ?)."""
    wanted = [pattern.strip().lower() for pattern in patterns]
    return tuple(
        ts
        for ts in ALL
        if any(
            fnmatchcase(name, pattern)
            for pattern in wanted
            for name in (ts.uid, ts.keyword.lower(), ts.short)
        )
    )
