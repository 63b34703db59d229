"""What a data set says of lossy compression, now and before: pure.

Once lossy, always lossy, step by step; and a lossy image is derived from another one, with a
SOP Instance UID of its own. Standard: PS3.3 C.7.6.1.1.2-5, C.12.4; PS3.16 CID 7202, 7203.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pydicom import Dataset

from gateway.codecs.headers import MAC_PARAMETERS, put, remove
from gateway.codecs.planning import Recoding
from gateway.dicom.identifiers import derived_uid
from gateway.dicom.part10 import FileMeta
from gateway.dicom.syntaxes import Family, TransferSyntax
from gateway.dicom.tags import text_of
from gateway.model import TranscodeOptions

_SOP_INSTANCE_UID = 0x00080018
_IMAGE_TYPE = 0x00080008
_DERIVATION_DESCRIPTION, _DERIVATION_CODES = 0x00082111, 0x00089215
_SOURCE_IMAGES = 0x00082112
_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
# What the samples reach from and to, which a lossy step does not keep.
_EXTREMES = (0x00280106, 0x00280107)
_LONGEST_DESCRIPTION = 1024  # VR ST
_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
_JPEG_RECOMPRESSED = "1.2.840.10008.1.2.4.111"
_METHODS = {
    Family.JPEG: "ISO_10918_1",
    Family.JPEG_LS: "ISO_14495_1",
    Family.JPEG2000: "ISO_15444_1",
}


@dataclass(frozen=True, slots=True)
class LossyStep:
    """One lossy compression. ratio: native bytes / coded bytes."""

    syntax: TransferSyntax
    ratio: float

    @property
    def method(self) -> str:
        """The defined term of Lossy Image Compression Method."""
        if self.syntax.uid in _HTJ2K:
            return "ISO_15444_15"
        if self.syntax.uid == _JPEG_RECOMPRESSED:
            return _METHODS[Family.JPEG]  # what JPEG XL did to it is reversible
        return _METHODS.get(self.syntax.family, "ISO_18181_1")

    @property
    def values(self) -> tuple[str, str]:
        """Lossy Image Compression Ratio and Method, as a data set has them."""
        return f"{self.ratio:.6g}", self.method


def remember(header: Dataset, before: LossyStep) -> None:
    """Say what whoever compressed the source may have forgotten to say.

    before: its last step.
    """
    if text_of(header, _LOSSY) != "01":
        put(header, _LOSSY, "CS", "01")
    *earlier, (ratio, method) = _history(header) or [("", "")]
    known_ratio, known_method = before.values
    _put_history(header, [*earlier, (ratio or known_ratio, method or known_method)])


def derive(
    header: Dataset, meta: FileMeta, plan: Recoding, step: LossyStep, options: TranscodeOptions
) -> str:
    """Make the data set that of a lossy image; answer its SOP Instance UID."""
    put(header, _LOSSY, "CS", "01")
    _put_history(header, [*_history(header), step.values])
    remove(header, *_EXTREMES, MAC_PARAMETERS)
    kinds = (text_of(header, _IMAGE_TYPE) or "ORIGINAL\\PRIMARY").split("\\")
    put(header, _IMAGE_TYPE, "CS", "\\".join(["DERIVED", *kinds[1:]]))
    _describe(header, f"lossy {step.syntax.keyword}, ratio {step.ratio:.3g}")
    if options.keep_uid:
        return meta.sop_instance_uid
    uid = derived_uid(meta.sop_instance_uid, step.syntax.uid, plan.rate, options.photometric)
    purpose = _PREDECESSOR if not plan.was_lossy else _PROCESSED
    _sequence(header, _SOURCE_IMAGES).append(_reference(meta, purpose))
    put(header, _SOP_INSTANCE_UID, "UI", uid)
    return uid


_PREDECESSOR = ("121320", "Uncompressed predecessor")
_PROCESSED = ("121322", "Source image for image processing operation")


def _history(header: Dataset) -> list[tuple[str, str]]:
    """Ratio and method of each step, as values of the same place belong together; "" if unknown."""
    texts = (text_of(header, tag) or "" for tag in (_RATIO, _METHOD))
    ratios, methods = (text.split("\\") if text else [] for text in texts)
    return list(zip_longest(ratios, methods, fillvalue=""))


def _put_history(header: Dataset, steps: Sequence[tuple[str, str]]) -> None:
    ratios, methods = zip(*steps, strict=True)
    put(header, _RATIO, "DS", "\\".join(ratios))
    put(header, _METHOD, "CS", "\\".join(methods))


def _describe(header: Dataset, text: str) -> None:
    element = header.get(_DERIVATION_DESCRIPTION)
    before = str(element.value or "") if element else ""
    whole = f"{before}; {text}" if before else text
    if len(whole) <= _LONGEST_DESCRIPTION:
        header.add_new(_DERIVATION_DESCRIPTION, "ST", whole)
    _sequence(header, _DERIVATION_CODES).append(_code("113040", "Lossy Compression"))


def _sequence(header: Dataset, tag: int) -> list[Dataset]:
    """The items of a sequence, which may be changed; an empty one when it was absent."""
    if tag not in header or not header[tag].value:
        header.add_new(tag, "SQ", [])
    items: list[Dataset] = header[tag].value
    return items


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _reference(meta: FileMeta, purpose: tuple[str, str]) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = meta.sop_class_uid
    reference.ReferencedSOPInstanceUID = meta.sop_instance_uid
    reference.PurposeOfReferenceCodeSequence = [_code(*purpose)]
    return reference
