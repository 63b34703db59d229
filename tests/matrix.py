"""The targets of the proof, and what really becomes of a file in one of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import header_rules
import independent
import numpy as np
from codec_support import DEFLATED, EXPLICIT, IMPLICIT, RLE, convert
from independent import NATIVE
from pydicom import Dataset, dcmread

from gateway.dicom import syntaxes
from gateway.errors import TranscodeError, TranscodeUnsupported
from gateway.model import TranscodeReport

_J = "1.2.840.10008.1.2.4."


@dataclass(frozen=True)
class Target:
    """A syntax, and how it is asked for."""

    uid: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people to read."""
        rate = "".join(f", {option} {value:g}" for option, value in self.options.items())
        return syntaxes.label(self.uid) + rate


NEAR = 2
RATIO = 4.0
# Each column of the tables, and the targets that it stands for.
COLUMNS: Mapping[str, tuple[Target, ...]] = {
    "nat": (Target(IMPLICIT), Target(EXPLICIT), Target(DEFLATED)),
    "jll": (Target(_J + "57"), Target(_J + "70")),
    "ls": (Target(_J + "80"),),
    "ls81": (Target(_J + "81"),),
    "j2k": (Target(_J + "90"), Target(_J + "201"), Target(_J + "202")),
    "j91": (Target(_J + "91"), Target(_J + "203")),
    "rle": (Target(RLE),),
    "jxl": (Target(_J + "110"),),
    "near": (Target(_J + "81", {"max_error": NEAR}),),
    "rate": (Target(_J + "91", {"ratio": RATIO}), Target(_J + "203", {"ratio": RATIO})),
    "jpg": (Target(_J + "50"),),
    "j12": (Target(_J + "51"),),
    "xyb": (Target(_J + "112"),),
}

# What the tables write for each reason.
REASONS = {
    "1bit": "samples of 1 bit are never compressed",
    "32bit": "samples of more than 16 bits stay native",
    "float": "cannot hold floating-point pixels",
    "bits": r"holds \d+ to \d+ bits, not \d+",
    "sign": "holds no signed samples$",
    "sign3": "holds no signed samples of colours",
    "junk": r"samples have bits set above the \d+ of BitsStored",
    "high": "HighBit is not BitsStored - 1",
    "ends": r"signed samples within \d+ of the ends of their range",
    "lut": "may be lossy, and a palette colour that is off by one",
    "ybr8": "holds YBR_FULL of 8 bits only",
    "col": "cannot hold colours in",
    "what?": "photometric interpretation of 3 samples",
    "odd": "YBR_FULL_422 needs an even number of columns",
    "coded": "exists in compressed images only",
    "none": "there is no encoder for",
    "order": "Big Endian samples of more than 16 bits have no sure order",
}

# Codestreams of the first are codestreams of the second (PS3.5 10.3-10.17).
CONTAINED = {
    (_J + "50", _J + "51"),
    (_J + "70", _J + "57"),
    (_J + "80", _J + "81"),
    (_J + "90", _J + "91"),
    (_J + "201", _J + "203"),
    (_J + "202", _J + "201"),
    (_J + "202", _J + "203"),
}


def rows(table: str) -> dict[str, dict[str, str]]:
    """Kind -> column -> what is expected, of a table whose first line names the columns."""
    heading, *lines = table.strip().splitlines()
    cells = (line.split(":") for line in lines)
    return {
        kind.strip(): dict(zip(heading.split(), row.split(), strict=True)) for kind, row in cells
    }


def expected(row: Mapping[str, str], source_uid: str) -> dict[str, str]:
    """What becomes of a source in this syntax, target by target, if a native one becomes `row`.

    Refusals stay, whatever the source. Its own syntax is a copy, also when a rate is asked for;
    codestreams that fit as they are get another label, unless a rate is asked for. Pixel Data that
    has to be decoded has other bytes, and the same samples.
    """
    found = {}
    for column, targets in COLUMNS.items():
        for target in targets:
            cell = row[column]
            if target.uid == source_uid:
                cell = "copy"
            elif (source_uid, target.uid) in CONTAINED and cell in "=~" and not target.options:
                cell = "label"
            elif source_uid not in NATIVE and cell == "bytes":
                cell = "="
            found[target.name] = cell
    return found


def outcomes(source: Path, result: Path, check: "Check") -> dict[str, str]:
    """What really becomes of it, target by target."""
    targets = [target for column in COLUMNS.values() for target in column]
    return {target.name: outcome(source, result, target, check) for target in targets}


def outcome(source: Path, result: Path, target: Target, check: "Check") -> str:
    """What became of it, in the words of the tables; a sentence when that is nowhere foreseen.

    copy: byte for byte. bytes: Pixel Data has the same bytes. label: the same codestreams. =: the
    same samples, say all decoders. ~: lossy, within its bound. Else why it was refused.
    """
    try:
        report = convert(source, result, target.uid, **target.options)
    except TranscodeUnsupported as refusal:
        found = [key for key, text in REASONS.items() if re.search(text, str(refusal))]
        return found[0] if found else str(refusal)
    except TranscodeError as error:
        return f"{type(error).__name__}: {error}"
    if not report.changed:
        return "copy" if result.read_bytes() == source.read_bytes() else "changed"
    before, after = dcmread(source), dcmread(result)
    faults = header_rules.faults(before, after, report, *check.may_differ)
    return "; ".join(faults) or check.of(before, after, target, report)


@dataclass(frozen=True)
class Check:
    """How the pixels of one source are judged.

    words, samples: what it means, in native syntaxes and RLE, and in the others; None: Pixel Data
    is compared as it is. bits: of these. in_memory: their colours. may_differ: elements that
    change. is_natural: lossy codecs keep such an image. was_lossy: the source is.
    """

    words: np.ndarray | None
    samples: np.ndarray | None
    bits: int = 8
    in_memory: str = ""
    may_differ: tuple[int, ...] = ()
    is_natural: bool = False
    was_lossy: bool = False

    def of(self, before: Dataset, after: Dataset, target: Target, report: TranscodeReport) -> str:
        """The word for a result whose header is right."""
        if self._is_labelled(before, after):
            return "label"
        if (report.lossy or self.was_lossy) != (after.get("LossyImageCompression") == "01"):
            return f"LossyImageCompression is {after.get('LossyImageCompression')}"
        if "PixelData" not in after:
            return "bytes"  # the elements were compared, whatever they are
        is_native = target.uid in NATIVE, before.file_meta.TransferSyntaxUID in NATIVE
        if is_native == (True, True):
            return self._repacked(before.PixelData, after.PixelData)
        found = independent.decoded(after)
        if report.lossy:
            return self._lossy(after, found, target)
        meant = self.words if target.uid in (*NATIVE, RLE) else self.samples
        if target.uid == RLE and self.words is not self.samples:
            del found["pydicom with pydicom"], found["pydicom with pylibjpeg"]  # clear unused bits
        wrong = [name for name, samples in found.items() if not _is_same(samples, meant)]
        return f"{' and '.join(wrong)} found other samples" if wrong else "="

    def _is_labelled(self, before: Dataset, after: Dataset) -> bool:
        """Whether it has the source's codestreams, which its syntax holds as well."""
        pair = (before.file_meta.TransferSyntaxUID, after.file_meta.TransferSyntaxUID)
        return pair in CONTAINED and before.PixelData == after.PixelData

    def _repacked(self, before: bytes, after: bytes) -> str:
        if self.words is not None and self.words.tobytes() == after[: self.words.nbytes]:
            return "bytes"
        return "bytes" if before + b"\0" * (len(before) % 2) == after else "other bytes"

    def _lossy(self, after: Dataset, found: dict[str, np.ndarray], target: Target) -> str:
        assert self.samples is not None
        if target.uid == _NEAR_LOSSLESS:
            worst = max(_largest_error(samples, self.samples) for samples in found.values())
            return "~" if worst <= NEAR else f"an error of {worst}"
        meant = self.samples
        if target.uid == _JPEG_BASELINE:  # which has YCbCr, at half the width
            found = independent.jpeg_as_shown(after)
            meant = independent.to_rgb(meant, self.in_memory)
        worst = min(_psnr_db(samples, meant, self.bits) for samples in found.values())
        return "~" if worst >= _LEAST_PSNR_DB or not self.is_natural else f"PSNR {worst:.1f} dB"


_LEAST_PSNR_DB = 30.0
_NEAR_LOSSLESS, _JPEG_BASELINE = _J + "81", _J + "50"


def _is_same(samples: np.ndarray, meant: np.ndarray | None) -> bool:
    return meant is not None and samples.dtype == meant.dtype and np.array_equal(samples, meant)


def _largest_error(samples: np.ndarray, meant: np.ndarray) -> int:
    return int(np.abs(samples.astype("i4") - meant.astype("i4")).max())


def _psnr_db(samples: np.ndarray, meant: np.ndarray, bits: int) -> float:
    squares = np.square(samples.astype("f8") - meant.astype("f8")).mean()
    return float(10 * np.log10(((1 << bits) - 1) ** 2 / max(squares, 1e-9)))
