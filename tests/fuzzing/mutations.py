"""Make hostile files of good ones: a pure function of the subjects and a random generator.

Steps before encoding change codestreams and the data set that describes them; steps after it change
the bytes of the file: its meta information, its data set, the items of Pixel Data.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from codec_support import BIG_ENDIAN, DEFLATED, IMPLICIT, SECONDARY_CAPTURE, SOP_INSTANCE_UID
from pydicom import Dataset

from fuzzing import fields
from fuzzing.subjects import KINDS, Subject, subjects
from gateway.codecs import codestreams, headers
from gateway.codecs.pixel_writer import frame_offsets
from gateway.dicom import part10, syntaxes
from gateway.dicom.encoding import element_header, encode
from gateway.dicom.vrs import KNOWN, LONG_LENGTH, WORD_BYTES
from gateway.errors import CodecFailed

_PIXEL_DATA = 0x7FE00010
_PIXEL_REPRESENTATION = 0x00280103
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0"
_INTERESTING = (
    *(b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\0\0", b"\xff\xd9", b"\xff\xd8"),
    *(b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\0\0\0\1"),
    *(_ITEM, _DELIMITER, b"\xfe\xff\x0d\xe0", b"\xe0\x7f\x10\0"),
)


@dataclass(slots=True)
class Draft:
    """A file on its way. extra: elements before Pixel Data that are encoded already."""

    kind: str
    subject: Subject
    syntax_uid: str
    header: Dataset
    codestreams: list[bytes]
    table: bytes
    fragments_per_frame: int
    extra: bytes = b""

    @classmethod
    def of(cls, subject: Subject, kind: str = "") -> "Draft":
        table = b""
        if subject.has_offsets:
            count = subject.fragments_per_frame
            sizes = [_items_length(each, count) for each in subject.codestreams]
            offsets = frame_offsets([size - 8 for size in sizes])
            table = struct.pack(f"<{len(offsets)}I", *offsets)
        header = Dataset()
        header.update(subject.header)
        return cls(
            kind, subject, subject.syntax_uid, header, list(subject.codestreams), table,
            subject.fragments_per_frame, subject.extra,
        )  # fmt: skip


def hostile_file(kind: str, random: Random) -> bytes:
    """One mutated file of this kind."""
    draft = Draft.of(random.choice(subjects(kind)), kind)
    before, after = random.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (6, 0), (1, 1), (0, 1)))
    for _ in range(before):
        _step(BEFORE, random)(draft, random)
    if before and random.random() < 0.25:
        _agree(draft)
    parts = parts_of(draft)
    for _ in range(after * random.choice((1, 1, 2, 4))):
        _step(AFTER, random)(parts, random)
    if draft.syntax_uid == DEFLATED:
        parts = [parts[0], _deflated(b"".join(parts[1:]), random, damage=not after)]
    return b"".join(parts)


def good_file(subject: Subject) -> bytes:
    """The file that is mutated, as it is."""
    parts = parts_of(Draft.of(subject))
    if subject.syntax_uid == DEFLATED:
        parts = [parts[0], _deflated(b"".join(parts[1:]), Random(0), damage=False)]
    return b"".join(parts)


# --- encoding ------------------------------------------------------------------------------------


def parts_of(draft: Draft) -> list[bytes]:
    """File meta information, the data set up to Pixel Data, Pixel Data."""
    uid = draft.syntax_uid
    implicit_vr = uid == IMPLICIT
    header = encode(draft.header, implicit_vr=implicit_vr) + draft.extra
    if draft.subject.is_encapsulated:
        pixels = _encapsulated(draft)
    else:
        value = b"".join(draft.codestreams)
        value += b"\0" * (len(value) % 2)
        vr = headers.native_vr(draft.header)
        pixels = element_header(_PIXEL_DATA, vr, len(value), implicit_vr=implicit_vr) + value
    if uid == BIG_ENDIAN:
        header, pixels = _big_endian(header), _big_endian(pixels)
    instance = str(draft.header.SOPInstanceUID)
    return [part10.header(SECONDARY_CAPTURE, instance, uid), header, pixels]


def _encapsulated(draft: Draft) -> bytes:
    out = [element_header(_PIXEL_DATA, "OB", _UNDEFINED, implicit_vr=False), _item(draft.table)]
    for codestream in draft.codestreams:
        out += map(_item, _fragments(codestream, draft.fragments_per_frame))
    return b"".join(out) + _DELIMITER + bytes(4)


def _fragments(codestream: bytes, count: int) -> list[bytes]:
    size = max(2, len(codestream) // count + 1 & ~1)
    return [codestream[at : at + size] for at in range(0, len(codestream), size)] or [b""]


def _item(value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return _ITEM + struct.pack("<I", len(value)) + value


def _items_length(codestream: bytes, fragments_per_frame: int) -> int:
    return sum(len(_item(part)) for part in _fragments(codestream, fragments_per_frame))


def _big_endian(encoded: bytes) -> bytes:
    """Elements in Explicit VR Little Endian as Big Endian has them; none is a sequence."""
    out, at = [], 0
    while at + 8 <= len(encoded):
        group, element, vr = struct.unpack_from("<HH2s", encoded, at)
        is_long = vr.decode("latin_1") in LONG_LENGTH
        form, place = ("<I", 8) if is_long else ("<H", 6)
        (length,) = struct.unpack_from(form, encoded, at + place)
        out.append(struct.pack(">HH2s", group, element, vr))
        out.append(struct.pack(">HI", 0, length) if is_long else struct.pack(">H", length))
        at += 12 if is_long else 8
        value, word = encoded[at : at + length], WORD_BYTES.get(vr.decode("latin_1"), 1)
        out += [value[i : i + word][::-1] for i in range(0, len(value), word)]
        at += length
    return b"".join(out)


def _deflated(data_set: bytes, random: Random, *, damage: bool) -> bytes:
    deflater = zlib.compressobj(6, wbits=-zlib.MAX_WBITS)
    coded = deflater.compress(data_set) + deflater.flush()
    if damage and random.random() < 0.5:
        coded = damaged(coded, random)
    return coded + b"\0" * (len(coded) % 2)


# --- steps before encoding -----------------------------------------------------------------------


def damaged(data: bytes, random: Random) -> bytes:
    """Any bytes, with some of them changed, missing, doubled or new."""
    if not data:
        return random.randbytes(random.randint(0, 40))
    at = random.randrange(len(data))
    end = min(len(data), at + random.choice((1, 1, 2, 4, 16, 64, 256)))
    how = random.randrange(7)
    if how == 0:
        return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
    if how == 1:
        return data[:at] + random.randbytes(end - at) + data[end:]
    if how == 2:
        return data[:at] + data[end:]
    if how == 3:
        return data[:at] + random.randbytes(random.choice((1, 2, 8, 100))) + data[at:]
    if how == 4:
        return data[:at]
    if how == 5:
        target = random.randrange(len(data))
        return data[:target] + data[at:end] * random.choice((1, 1, 8)) + data[target:]
    word = random.choice(_INTERESTING)
    return data[:at] + word + data[at + len(word) :]


def _damage_codestream(draft: Draft, random: Random) -> None:
    if draft.codestreams:
        number = random.randrange(len(draft.codestreams))
        draft.codestreams[number] = damaged(draft.codestreams[number], random)


def _damage_codestream_header(draft: Draft, random: Random) -> None:
    """The first bytes are worth more than the many of coded data."""
    if draft.codestreams:
        number = random.randrange(len(draft.codestreams))
        data = draft.codestreams[number]
        length = min(len(data), random.choice((16, 64, 200)))
        draft.codestreams[number] = damaged(data[:length], random) + data[length:]


def _lie_in_codestream(draft: Draft, random: Random) -> None:
    if draft.codestreams:
        number = random.randrange(len(draft.codestreams))
        draft.codestreams[number] = fields.lie(draft.codestreams[number], random)


def _splice(draft: Draft, random: Random) -> None:
    """Half of this codestream, half of another, mostly of its kin."""
    if not draft.codestreams:
        return
    others = [kind for kind in KINDS if kind != "large"]
    kind = draft.kind if random.random() < 0.7 else random.choice(others)
    other = random.choice(random.choice(subjects(kind)).codestreams)
    number = random.randrange(len(draft.codestreams))
    data = draft.codestreams[number]
    at, start = random.randrange(len(data) + 1), random.randrange(len(other) + 1)
    draft.codestreams[number] = data[:at] + other[start:] if random.random() < 0.8 else other


def _change_frames(draft: Draft, random: Random) -> None:
    """Frames too many or too few, in other fragments, or where no table says."""
    how = random.randrange(5)
    if how == 0 and draft.codestreams:
        draft.codestreams *= random.choice((0, 2, 3, 17))
    elif how == 1:
        draft.codestreams.append(random.choice((b"", b"\xff\xd8\xff", random.randbytes(9))))
    elif how == 2:
        draft.fragments_per_frame = random.choice((1, 2, 3, 7, 50))
    elif how == 3:
        numbers = [random.choice((0, 1, 8, 0xFFFFFFF8, random.getrandbits(32)))] * 5
        draft.table = struct.pack("<5I", *numbers)[: random.choice((0, 3, 4, 8, 12, 20))]
    else:
        frames = random.choice(("0", "2", "4", "1000", "2147483647", "-1", "1A", "", "99999999999"))
        headers.put(draft.header, 0x00280008, "IS", frames)


_NUMBERS = {
    0x00280002: (0, 1, 2, 3, 4, 255, 65535),  # Samples per Pixel
    0x00280006: (0, 1, 2),  # Planar Configuration
    0x00280010: (0, 1, 16, 31, 33, 64, 255, 256, 1000, 30000, 65535),  # Rows
    0x00280011: (0, 1, 16, 31, 33, 64, 255, 256, 1000, 30000, 65535),  # Columns
    0x00280100: (0, 1, 8, 12, 16, 24, 32, 64, 128, 65528, 65535),  # Bits Allocated
    0x00280101: (0, 1, 2, 7, 8, 10, 12, 13, 16, 17, 32, 65535),  # Bits Stored
    0x00280102: (0, 6, 7, 9, 11, 12, 15, 16, 65535),  # High Bit
    0x00280103: (0, 1, 2, 65535),  # Pixel Representation
    0x60000102: (0, 1, 7, 8, 12, 15, 99),  # Overlay Bit Position
}
_COLOURS = (
    *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422"),
    *("YBR_ICT", "YBR_RCT", "XYB", "ARGB", "", "MONOCHROME2\\RGB"),
)


def _lie_in_data_set(draft: Draft, random: Random) -> None:
    """A number that is not true, as a number, as text, or missing."""
    tag = random.choice(tuple(_NUMBERS))
    how = random.random()
    if how < 0.7 or tag == _PIXEL_REPRESENTATION:  # pydicom reads that one when it is set
        headers.put_number(draft.header, tag, random.choice(_NUMBERS[tag]))
    elif how < 0.8:
        headers.put_bytes(draft.header, tag, "US", random.randbytes(random.choice((0, 1, 3, 4))))
    elif how < 0.9:
        headers.put(draft.header, tag, "IS", random.choice(("32", "-1", "x", "1e3", "")))
    else:
        headers.remove(draft.header, tag)


def _change_colours(draft: Draft, random: Random) -> None:
    headers.put(draft.header, 0x00280004, "CS", random.choice(_COLOURS))


def _nest(draft: Draft, random: Random) -> None:
    """Sequences in sequences, deep or many, whose lengths are known, not known, or lies."""
    depth = random.choice((1, 3, 40, 1500))
    undefined = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, _UNDEFINED)
    item = _ITEM + struct.pack("<I", _UNDEFINED)
    closing = b"\xfe\xff\x0d\xe0" + bytes(4) + _DELIMITER + bytes(4)
    nested = (undefined + item) * depth + closing * random.choice((depth, depth, depth - 1))
    wrong = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, random.choice((1, 7, 9, 1 << 20)))
    draft.extra += random.choice((nested, nested, wrong + nested, nested.replace(b"SQ", b"UN")))


def _extend_offsets(draft: Draft, random: Random) -> None:
    for element in (0x7FE00001, 0x7FE00002):
        numbers = [random.choice((0, 8, 1 << 40, random.getrandbits(64))) for _ in range(3)]
        headers.put_bytes(draft.header, element, "OV", struct.pack("<3Q", *numbers))


def _agree(draft: Draft) -> None:
    """Let the data set say what the first codestream claims, to get past the first check."""
    with suppress(CodecFailed, IndexError):
        found = codestreams.inspect(draft.codestreams[0])
        headers.put_number(draft.header, 0x00280010, found.rows & 0xFFFF)
        headers.put_number(draft.header, 0x00280011, found.columns & 0xFFFF)
        headers.put_number(draft.header, 0x00280002, found.samples & 0xFFFF)


DraftStep = Callable[[Draft, Random], None]
BEFORE: Sequence[tuple[int, DraftStep]] = (
    (30, _damage_codestream),
    (15, _damage_codestream_header),
    (30, _lie_in_codestream),
    (6, _splice),
    (4, _change_frames),
    (10, _lie_in_data_set),
    (2, _change_colours),
    (2, _nest),
    (1, _extend_offsets),
)


# --- steps after encoding ------------------------------------------------------------------------


def _damage_part(parts: list[bytes], random: Random) -> None:
    number = random.choice((0, 1, 1, 1, 2))
    parts[number] = damaged(parts[number], random)


def _damage_container(parts: list[bytes], random: Random) -> None:
    """Lengths and tags of Pixel Data and its items."""
    data, places = parts[2], [0]
    at = data.find(_ITEM)
    while 0 <= at < len(data) and len(places) < 50:
        places.append(at)
        at = data.find(_ITEM, at + 4)
    at = random.choice(places) + random.choice((0, 4, 4, 4, 8))
    numbers = (0, 1, 2, 7, 8, len(data), 0x7FFFFFFE, 0x80000000, _UNDEFINED, 0xFFFFFFFE)
    word = struct.pack("<I", random.choice(numbers))
    parts[2] = data[:at] + random.choice((word, word, _DELIMITER, _ITEM)) + data[at + 4 :]


def _change_element(parts: list[bytes], random: Random) -> None:
    """The VR or the length of an element before Pixel Data."""
    data = parts[1]
    vrs = [vr.encode() for vr in sorted(KNOWN)]
    places = [at for at in range(4, len(data) - 4, 2) if data[at : at + 2] in vrs]
    if not places:
        return
    at = random.choice(places)
    if random.random() < 0.5:
        vr = random.choice((*vrs, b"??", b"\0\0", b"US", b"SQ", b"UN"))
        parts[1] = data[:at] + vr + data[at + 2 :]
    else:
        length = random.choice((b"\0\0", b"\1\0", b"\xff\xff", b"\xfe\xff", random.randbytes(2)))
        parts[1] = data[: at + 2] + length + data[at + 4 :]


def _rename_syntax(parts: list[bytes], random: Random) -> None:
    """Another transfer syntax than that of the bytes."""
    uid = random.choice(syntaxes.ALL).uid
    parts[0] = part10.header(SECONDARY_CAPTURE, SOP_INSTANCE_UID, uid)


def _cut(parts: list[bytes], random: Random) -> None:
    number = random.randrange(len(parts))
    parts[number] = parts[number][: random.randrange(len(parts[number]) + 1)]
    if random.random() < 0.7:
        parts[number + 1 :] = [b""] * (len(parts) - number - 1)


def _append(parts: list[bytes], random: Random) -> None:
    padding = element_header(0xFFFCFFFC, "OB", 4, implicit_vr=False) + bytes(4)
    parts.append(random.choice((padding, bytes(2), random.randbytes(9), parts[-1], parts[1])))


FileStep = Callable[[list[bytes], Random], None]
AFTER: Sequence[tuple[int, FileStep]] = (
    (30, _damage_part),
    (25, _damage_container),
    (20, _change_element),
    (10, _rename_syntax),
    (10, _cut),
    (5, _append),
)


def _step(steps: Sequence[tuple[int, Callable[..., None]]], random: Random) -> Callable[..., None]:
    weights, functions = zip(*steps, strict=True)
    return random.choices(functions, weights)[0]
