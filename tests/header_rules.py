"""What PS3.3 and PS3.5 demand of a data set whose pixels were transcoded, as a list of faults.

Written from the standard, and from pydicom's transcription of the tables of PS3.5 8.2; it shares
nothing with the gateway's own rules.
"""

import struct
from collections.abc import Iterator

from independent import NATIVE, RLE, frame_count, frames_of
from pydicom import Dataset
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.pixels.encoders.base import ENCODING_PROFILES
from pydicom.tag import Tag
from pydicom.uid import UID

from gateway.model import TranscodeReport

_J = "1.2.840.10008.1.2.4."
_J2K, _J2K_MAY_LOSE = ENCODING_PROFILES[UID(_J + "90")], ENCODING_PROFILES[UID(_J + "91")]
_GREY = [("MONOCHROME1", 1), ("MONOCHROME2", 1)]


def _unsigned(*colours: tuple[str, int]) -> list[tuple[str, int, tuple, tuple, range]]:
    return [(name, samples, (0,), (8, 16), range(1, 17)) for name, samples in colours]


# Where pydicom's tables end, or are older than the standard.
_MORE_PROFILES = {
    # PS3.5 8.2.4: what may be lossy may also be reversible, and is transformed reversibly then.
    _J + "91": [
        ("YBR_RCT", 3, (0,), (8, 16), range(1, 17)),
    ],
    # PS3.5 8.2.14: as for JPEG 2000.
    _J + "201": _J2K,
    _J + "202": _J2K,
    _J + "203": [*_J2K_MAY_LOSE, ("YBR_RCT", 3, (0,), (8, 16), range(1, 17))],
    # PS3.5 8.2.15-8.2.17. XYB is lossy.
    _J + "110": _unsigned(*_GREY, ("PALETTE COLOR", 1), ("RGB", 3)),
    _J + "111": ENCODING_PROFILES[UID(_J + "50")],
    _J + "112": _unsigned(*_GREY, ("XYB", 3)),
}

_CODING = ("PixelData", "PhotometricInterpretation", "PlanarConfiguration")
_FRAGMENT_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_DEPTH = ("BitsAllocated", "BitsStored", "HighBit")
_DERIVATION = (
    "SOPInstanceUID", "ImageType", "DerivationDescription", "DerivationCodeSequence",
    "SourceImageSequence", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "SmallestImagePixelValue", "LargestImagePixelValue",
    "MACParametersSequence", "DigitalSignaturesSequence",
)  # fmt: skip
_LOSSY_HISTORY = (
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
_METHODS = {
    _J + "50": "ISO_10918_1",
    _J + "51": "ISO_10918_1",
    _J + "81": "ISO_14495_1",
    _J + "91": "ISO_15444_1",
    _J + "203": "ISO_15444_15",
    _J + "112": "ISO_18181_1",
}
_TRAILING_PADDING = Tag(0xFFFCFFFC)


def faults(before: Dataset, after: Dataset, report: TranscodeReport, *may_differ: int) -> list[str]:
    """Everything that is wrong with the header of a result; [] when it is right.

    Both are fresh from their files: raw elements are compared first. may_differ: tags of elements
    that this source makes the gateway change.
    """
    syntax_uid = after.file_meta.TransferSyntaxUID
    found = [*_meta(before, after, report), *_elements(before, after, report, may_differ)]
    found += _lossy_step(before, after, report) if report.lossy else _kept(before, after)
    if "PixelData" not in after:
        return found
    if syntax_uid in NATIVE:
        return [*found, *_native(before, after)]
    if before.PixelData != after.PixelData:  # else it was like this already
        found += [*_profile(after), *_colours(after)]
    return [*found, *_encapsulated(after)]


def _meta(before: Dataset, after: Dataset, report: TranscodeReport) -> Iterator[str]:
    meta = after.file_meta
    if meta.TransferSyntaxUID != report.target_syntax_uid:
        yield f"file meta says {meta.TransferSyntaxUID.name}"
    if meta.MediaStorageSOPInstanceUID != report.sop_instance_uid:
        yield "the report names another instance"
    for name in ("Class", "Instance"):
        keyword, in_meta = f"SOP{name}UID", f"MediaStorageSOP{name}UID"
        was_right = before.file_meta.get(in_meta) == before.get(keyword)
        if was_right and meta.get(in_meta) != after.get(keyword):
            yield f"{in_meta} is not {keyword}"


def _elements(
    before: Dataset, after: Dataset, report: TranscodeReport, may_differ: tuple[int, ...]
) -> Iterator[str]:
    """Nothing is changed, added or left out but what the change of syntax is about."""
    keywords = (*_CODING, *_FRAGMENT_TABLES, *_LOSSY_HISTORY)
    if report.lossy:
        keywords += (*_DEPTH, *_DERIVATION)
    ignored = {Tag(keyword) for keyword in keywords} | {Tag(tag) for tag in may_differ}
    for tag in sorted((before.keys() | after.keys()) - ignored - {_TRAILING_PADDING}):
        if tag.element == 0:  # group lengths are retired, and left out
            continue
        if tag not in before or tag not in after:
            yield f"{tag} is {'added' if tag in after else 'missing'}"
        elif not _is_same(before, after, tag):
            yield f"{tag} is changed"


def _is_same(before: Dataset, after: Dataset, tag: Tag) -> bool:
    # As encoded, first: Implicit VR has no VR for private elements, whose values look different.
    if before.get_item(tag).value == after.get_item(tag).value:
        return True
    a, b = before[tag].value, after[tag].value
    if before[tag].VR == "SQ" and after[tag].VR == "SQ":
        return len(a) == len(b) and all(map(_are_same_items, a, b))
    return bool(a == b) or _as_encoded(a) == _as_encoded(b)


def _are_same_items(one: Dataset, other: Dataset) -> bool:
    tags = one.keys()
    return tags == other.keys() and all(_is_same(one, other, tag) for tag in tags)


def _as_encoded(value: object) -> str:
    if value is None:
        return ""
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return raw.rstrip(b" \0").decode("latin_1")


# --- lossy or not --------------------------------------------------------------------------------


def _kept(before: Dataset, after: Dataset) -> Iterator[str]:
    """What was lossy stays so, and it is the same instance."""
    if before.get("SOPInstanceUID") != after.get("SOPInstanceUID"):
        yield "a lossless result has a SOP Instance UID of its own"
    for keyword in _LOSSY_HISTORY:
        was = before.get(keyword)
        if was not in (None, "", "00") and was != after.get(keyword):
            yield f"{keyword} was {was}"


def _lossy_step(before: Dataset, after: Dataset, report: TranscodeReport) -> Iterator[str]:
    """PS3.3 C.7.6.1.1.2, C.7.6.1.1.5, C.12.4: one step is added to the history."""
    if after.get("LossyImageCompression") != "01":
        yield "LossyImageCompression is not 01"
    ratios = _values(after, "LossyImageCompressionRatio")
    methods = _values(after, "LossyImageCompressionMethod")
    if len(ratios) != len(methods):
        yield f"{len(ratios)} ratios and {len(methods)} methods"
    frames = frames_of(after)
    coded_bytes = report.native_bytes / float(ratios[-1])
    if not -1 < sum(map(len, frames)) - coded_bytes < len(frames) + 1:  # they may be padded
        yield f"the ratio is not {ratios[-1]}"
    if methods[-1] != _METHODS[after.file_meta.TransferSyntaxUID]:
        yield f"the method is not {methods[-1]}"
    for keyword, now in (("Ratio", ratios), ("Method", methods)):
        earlier = _values(before, f"LossyImageCompression{keyword}")
        if now[: len(earlier)] != earlier:
            yield f"what was said of {keyword} earlier is lost"
    image_type = _values(before, "ImageType") or ["ORIGINAL", "PRIMARY"]
    if _values(after, "ImageType") != ["DERIVED", *image_type[1:]]:
        yield f"ImageType is {after.get('ImageType')}"
    yield from _derivation(before, after)


def _derivation(before: Dataset, after: Dataset) -> Iterator[str]:
    if not after.get("DerivationDescription"):
        yield "there is no DerivationDescription"
    code = after.DerivationCodeSequence[-1]
    if (code.CodeValue, code.CodingSchemeDesignator) != ("113040", "DCM"):
        yield f"the derivation code is {code.CodeValue}"
    if after.SOPInstanceUID == before.SOPInstanceUID:
        return  # keep_uid: an instance is not made of itself
    reference = after.SourceImageSequence[-1]
    if reference.ReferencedSOPInstanceUID != before.SOPInstanceUID:
        yield "the source image is another one"
    if reference.ReferencedSOPClassUID != before.SOPClassUID:
        yield "the source image is of another class"


def _values(dataset: Dataset, keyword: str) -> list[str]:
    value = dataset.get(keyword)
    if value in (None, ""):
        return []
    return [
        str(each)
        for each in (
            value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
        )
    ]


# --- native --------------------------------------------------------------------------------------


def _native(before: Dataset, after: Dataset) -> Iterator[str]:
    length = len(after.PixelData)
    needed = frame_count(after) * after.Rows * after.Columns * after.BitsAllocated
    needed *= 2 if after.PhotometricInterpretation == "YBR_FULL_422" else after.SamplesPerPixel
    if before.file_meta.TransferSyntaxUID in NATIVE:
        if length != len(before.PixelData) + len(before.PixelData) % 2:
            yield "Pixel Data has another length"
        if after.PhotometricInterpretation != before.PhotometricInterpretation:
            yield "PhotometricInterpretation is changed"
        if after.get("PlanarConfiguration") != before.get("PlanarConfiguration"):
            yield "PlanarConfiguration is changed"
    else:
        if length != (needed + 15) // 16 * 2:
            yield f"Pixel Data has {length} bytes, not {needed / 8}"
        if after.PhotometricInterpretation not in _NATIVE_COLOURS:
            yield f"{after.PhotometricInterpretation} cannot be native"
        yield from _planar(after)
    is_implicit = after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    if not is_implicit and after.BitsAllocated > 8 and after["PixelData"].VR != "OW":
        yield "samples of more than 8 bits are not OW"  # PS3.5 A.2


_NATIVE_COLOURS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422")


def _planar(after: Dataset) -> Iterator[str]:
    """PS3.3 C.7.6.3.1.3; color-by-pixel is what every codec but RLE has, and RLE may have."""
    if after.SamplesPerPixel > 1 and after.get("PlanarConfiguration") != 0:
        yield f"PlanarConfiguration is {after.get('PlanarConfiguration')}"


# --- encapsulated --------------------------------------------------------------------------------


def _profile(after: Dataset) -> Iterator[str]:
    """PS3.5 8.2.1-8.2.17, the tables."""
    uid = after.file_meta.TransferSyntaxUID
    rows = [*ENCODING_PROFILES.get(uid, ()), *_MORE_PROFILES.get(uid, ())]
    found = (after.PhotometricInterpretation, after.SamplesPerPixel)
    depth = (after.PixelRepresentation, after.BitsAllocated, after.BitsStored)
    fits = any(
        found == (colours, samples)
        and depth[0] in signs
        and depth[1] in allocated
        and depth[2] in stored
        for colours, samples, signs, allocated, stored in rows
    )
    if not fits:
        yield f"{uid.name} does not allow {found} with {depth}"
    if after.HighBit != after.BitsStored - 1 and uid != RLE:
        yield "HighBit is not BitsStored - 1"
    yield from _planar(after)


def _encapsulated(after: Dataset) -> Iterator[str]:
    """PS3.5 A.4: fragments and their tables."""
    element = after["PixelData"]
    if element.VR != "OB" or not element.is_undefined_length:
        yield f"Pixel Data is {element.VR} of a length"
    offsets = parse_basic_offsets(element.value)
    _, (_, *positions) = parse_fragments(element.value)  # the first item is the table
    count = len(positions)
    if count < frame_count(after):
        yield f"{count} fragments for {frame_count(after)} frames"
    if after.file_meta.TransferSyntaxUID == RLE and count != frame_count(after):
        yield "a frame of RLE is not one fragment"
    if offsets and len(offsets) != frame_count(after):
        yield f"{len(offsets)} offsets for {frame_count(after)} frames"
    first = positions[0]
    if offsets and not set(offsets) <= {position - first for position in positions}:
        yield "an offset points to no fragment"
    if offsets and "ExtendedOffsetTable" in after:
        yield "there are two offset tables"
    lengths = [struct.unpack_from("<I", element.value, at + 4)[0] for at in positions]
    if any(length % 2 for length in lengths):
        yield "a fragment has an odd length"


def _colours(after: Dataset) -> Iterator[str]:
    """The codestream does to the colours what the data set says (PS3.5 8.2.1, 8.2.4)."""
    uid, colours = after.file_meta.TransferSyntaxUID, after.PhotometricInterpretation
    for codestream in frames_of(after):
        if codestream.startswith(b"\xff\x4f"):
            yield from _component_transformation(codestream, colours)
            precision = (codestream[42] & 0x7F) + 1
            if precision != after.BitsStored and not _is_htj2k(uid):
                yield f"the codestream has {precision} bits, BitsStored is {after.BitsStored}"
            if bool(codestream[42] & 0x80) != bool(after.PixelRepresentation):
                yield "the codestream has another sign"
        elif codestream.startswith(b"\xff\xd8"):
            yield from _jpeg(codestream, after)


def _is_htj2k(uid: str) -> bool:
    """OpenJPH, as it is wrapped, writes 8 or 16 bits."""
    return uid in (_J + "201", _J + "202", _J + "203")


def _component_transformation(codestream: bytes, colours: str) -> Iterator[str]:
    at = codestream.index(b"\xff\x52")  # COD
    transforms, wavelet = codestream[at + 8] == 1, codestream[at + 13]
    expected = {"YBR_RCT": (True, 1), "YBR_ICT": (True, 0)}.get(colours, (False, wavelet))
    if (transforms, wavelet) != expected:
        yield f"a codestream of {colours} has transformation {transforms} and wavelet {wavelet}"


def _jpeg(codestream: bytes, after: Dataset) -> Iterator[str]:
    """Frame header: precision, and how often each component is sampled."""
    markers = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc3", b"\xff\xf7")
    at = min(codestream.find(marker) for marker in markers if marker in codestream)
    process, precision, samples = codestream[at + 1], codestream[at + 4], codestream[at + 9]
    sampling = [codestream[at + 11 + 3 * index] for index in range(samples)]
    least = {0xF7: 1 if after.BitsAllocated == 8 else 9}.get(process, 8)
    usual = max(least, after.BitsStored)
    if precision != usual:
        yield f"the codestream has {precision} bits, BitsStored is {after.BitsStored}"
    subsampled = after.PhotometricInterpretation == "YBR_FULL_422"
    expected = [0x21, 0x11, 0x11] if subsampled else [0x11] * samples
    if sampling != expected:
        yield f"components of {after.PhotometricInterpretation} are sampled {sampling}"
    names = bytes(codestream[at + 10 + 3 * index] for index in range(samples))
    is_rgb = after.PhotometricInterpretation == "RGB"
    if names == b"RGB" and not is_rgb:
        yield f"the codestream calls {after.PhotometricInterpretation} RGB"
    if samples == 3 and b"JFIF" in codestream[:20] and is_rgb:
        yield "the codestream calls RGB YCbCr"
