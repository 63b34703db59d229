"""What can be read, written and verified, by what, or why not: the table of codecs, for people."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.codecs.planning import NATIVE_TARGETS
from gateway.codecs.table import CODECS, CODESTREAM_CONVERTERS, why_absent
from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import Family, TransferSyntax

_PYDICOM, _ZLIB, _ZLIB_NG = "pydicom", "zlib", "zlib-ng"


@dataclass(frozen=True, slots=True)
class Support:
    """One transfer syntax. The libraries are named with their versions; "" where there is none.

    verified_by: what reads a lossless result back. remark: what else there is to know, or why not.
    """

    short: str
    keyword: str
    uid: str
    lossy: bool
    read_by: str
    written_by: str
    verified_by: str
    remark: str


@dataclass(frozen=True, slots=True)
class _Libraries:
    read: str = ""
    write: str = ""
    verify: str = ""
    remark: str = ""


def catalogue(version_of: Callable[[str], str]) -> tuple[Support, ...]:
    """Every transfer syntax that we know, in the order of their UIDs.

    version_of: the version of the distribution of that name, and of zlib.
    """

    def versioned(library: str) -> str:
        """'imagecodecs (jpegsof3)' -> 'imagecodecs 2026.3.6 (jpegsof3)'."""
        name, _, part = library.partition(" ")
        return f"{name} {version_of(name)} {part}".rstrip() if name else ""

    return tuple(
        Support(
            syntax.short,
            syntax.keyword,
            syntax.uid,
            syntax.lossy,
            versioned(libraries.read),
            versioned(libraries.write),
            versioned(libraries.verify),
            libraries.remark,
        )
        for syntax in syntaxes.ALL
        for libraries in (_libraries(syntax),)
    )


def _libraries(syntax: TransferSyntax) -> _Libraries:
    if syntax.is_deflated:
        return _Libraries(_ZLIB, _ZLIB_NG, _ZLIB)
    if syntax.family is Family.NATIVE:
        if syntax in NATIVE_TARGETS:
            return _Libraries(_PYDICOM, _PYDICOM, _PYDICOM)
        return _Libraries(_PYDICOM, remark="retired: it is read only")
    codec = CODECS.get(syntax.uid)
    if codec is None:
        return _Libraries(remark=why_absent(syntax))
    if codec.encode is None:
        return _converted(syntax, codec.decoded_by)
    if codec.check is None:
        return _Libraries(codec.decoded_by, codec.encoded_by, remark=_why_unverified(syntax))
    return _Libraries(codec.decoded_by, codec.encoded_by, codec.checked_by)


def _converted(syntax: TransferSyntax, library: str) -> _Libraries:
    """Without an encoder of its own: perhaps its codestreams are made of others."""
    sources = [
        syntaxes.label(source) for source, target in CODESTREAM_CONVERTERS if target == syntax.uid
    ]
    if not sources:
        return _Libraries(library, remark="there is no encoder")
    return _Libraries(
        library, library, remark=f"made of {', '.join(sources)} only, which comes back bit by bit"
    )


def _why_unverified(syntax: TransferSyntax) -> str:
    if syntax.lossy:
        return "always loses: how much is measured on request"
    return "the library that would read it back is not installed"
