"""Make the golden files anew: python tests/make_golden.py

One small file for each syntax and each rate, as the gateway makes them of two fixed images. When a
library that is pinned in constraints.txt changes what it writes, tests/integration/test_golden.py
tells; look at what changed, and then keep the new files by this command. It is no proof that they
are right: that is the matrix.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import independent
import numpy as np
from codec_support import (
    DEFLATED,
    EXPLICIT,
    HTJ2K,
    HTJ2K_LOSSY,
    IMPLICIT,
    J2K,
    J2K_LOSSY,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LS,
    JPEG_LS_NEAR,
    JPEG_XL,
    RLE,
    convert,
    samples_of,
    write_native,
)
from pixel_kinds import scene
from pydicom import dcmread

GOLDEN = Path(__file__).parent / "golden"
_J = "1.2.840.10008.1.2.4."
PSNR_DB = GOLDEN / "psnr_db.json"
GREY, COLOUR = "source-grey", "source-colour"


@dataclass(frozen=True)
class Case:
    """One golden file: which of the others it is made of, and how."""

    source: str
    uid: str
    options: Mapping[str, Any] = field(default_factory=dict)


CASES: Mapping[str, Case] = {
    "implicit": Case(GREY, IMPLICIT),
    "deflated": Case(GREY, DEFLATED),
    "jpeg": Case(COLOUR, JPEG_BASELINE),
    "jpeg-quality-60": Case(COLOUR, JPEG_BASELINE, {"quality": 60}),
    "jpeg-rgb": Case(COLOUR, JPEG_BASELINE, {"photometric": "RGB"}),
    "jpeg12": Case(GREY, _J + "51"),
    "jpeg-lossless": Case(GREY, JPEG_LOSSLESS),
    "jpeg-lossless-colour": Case(COLOUR, JPEG_LOSSLESS),
    "jpeg-lossless-any": Case(GREY, _J + "57"),
    "jpegls": Case(GREY, JPEG_LS),
    "jpegls-colour": Case(COLOUR, JPEG_LS),
    "jpegls-near": Case(GREY, JPEG_LS_NEAR),
    "jpegls-near-max-error-3": Case(GREY, JPEG_LS_NEAR, {"max_error": 3}),
    "j2k": Case(GREY, J2K),
    "j2k-colour": Case(COLOUR, J2K),
    "j2k-lossy": Case(GREY, J2K_LOSSY),
    "j2k-lossy-ratio-5": Case(GREY, J2K_LOSSY, {"ratio": 5.0}),
    "j2k-lossy-colour-ratio-5": Case(COLOUR, J2K_LOSSY, {"ratio": 5.0}),
    "htj2k": Case(GREY, HTJ2K),
    "htj2k-colour": Case(COLOUR, HTJ2K),
    "htj2k-rpcl": Case(GREY, _J + "202"),
    "htj2k-lossy": Case(GREY, HTJ2K_LOSSY),
    "htj2k-lossy-ratio-5": Case(GREY, HTJ2K_LOSSY, {"ratio": 5.0}),
    "rle": Case(GREY, RLE),
    "rle-colour": Case(COLOUR, RLE),
    "jpegxl-lossless": Case(GREY, _J + "110"),
    "jpegxl-lossless-colour": Case(COLOUR, _J + "110"),
    "jpegxl-jpeg": Case("jpeg", _J + "111"),
    "jpegxl": Case(COLOUR, JPEG_XL),
}


def path_of(name: str, folder: Path = GOLDEN) -> Path:
    return folder / f"{name}.dcm"


def make(name: str, folder: Path) -> Path:
    """Make one file anew, of the golden file that it is made of."""
    case, path = CASES[name], path_of(name, folder)
    convert(path_of(case.source), path, case.uid, **case.options)
    return path


def psnr_db(path: Path, name: str) -> float | None:
    """How near a file is to its image, as it is shown after decoding; None: identical."""
    original = GREY if CASES[name].source == GREY else COLOUR
    with TemporaryDirectory() as folder:
        native = Path(folder) / "native"
        convert(path, native, EXPLICIT)
        found = independent.to_rgb(samples_of(native), dcmread(native).PhotometricInterpretation)
    squares = np.square(found.astype("f8") - samples_of(path_of(original))).mean()
    peak = 4095 if original == GREY else 255
    return round(float(10 * np.log10(peak**2 / squares)), 2) if squares else None


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    if not path_of(GREY).exists():  # the images stay, also where floating point differs
        write_native(path_of(GREY), scene((1, 40, 48), "u2", 12), BitsStored=12)
        write_native(path_of(COLOUR), scene((1, 40, 48, 3), "u1", 8))
    measures = {}
    for name in CASES:
        path = make(name, GOLDEN)
        measures[name] = psnr_db(path, name)
        print(  # noqa: T201 - a command
            f"{path.name:32} {path.stat().st_size:6} bytes   PSNR {measures[name]}"
        )
    PSNR_DB.write_text(json.dumps(measures, indent=1) + "\n")


if __name__ == "__main__":
    main()
