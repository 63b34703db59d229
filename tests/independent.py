"""Other ways to read and write pixels than the gateway's: what its results are held against.

A result is read by every decoder that there is for its syntax. pydicom finds the frames, and its
plugins are pyjpegls, pylibjpeg-openjpeg, pylibjpeg-rle and an RLE decoder of its own; imagecodecs
has libjpeg-turbo, jpegsof3, liblj92, CharLS, OpenJPEG, OpenJPH, libjxl and PackBits.
"""

import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels import convert_color_space, pixel_array

try:
    import _jxlpy
except ImportError:  # there are no wheels for every Python
    _jxlpy = None

_J = "1.2.840.10008.1.2.4."
RLE = "1.2.840.10008.1.2.5"
NATIVE = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
_UNNAMED = {"colorspace": "UNKNOWN", "outcolorspace": "UNKNOWN"}
_AS_CODED = {"colorspace": "RGB", "outcolorspace": "RGB"}

Codestream = bytes
Decode = Callable[[Codestream, Dataset], np.ndarray]
Encode = Callable[[np.ndarray, int], Codestream]


def read(path: Path) -> dict[str, np.ndarray]:
    """All samples of a file; see decoded()."""
    return decoded(dcmread(path))


def decoded(dataset: Dataset) -> dict[str, np.ndarray]:
    """All samples, (frames, rows, columns[, 3]) in the data set's type, as each decoder finds them.

    Colours are those of the codestream's components, but RGB after a transformation of JPEG 2000
    or JPEG XL.
    """
    uid = dataset.file_meta.TransferSyntaxUID
    if uid in NATIVE:
        return {"numpy": _native(dataset)}
    found = {
        f"pydicom with {plugin}": _by_pydicom(dataset, plugin) for plugin in _PLUGINS.get(uid, ())
    }
    codestreams = frames_of(dataset)
    for name, decode in _DECODERS[uid].items():
        frames = [decode(codestream, dataset) for codestream in codestreams]
        if all(frame is not None for frame in frames):
            found[name] = np.stack([_typed(frame, dataset) for frame in frames])
    return found


def jpeg_as_shown(dataset: Dataset) -> dict[str, np.ndarray]:
    """Grey, or RGB, of JPEG of 8 bits.

    libjxl reads it by way of JPEG XL, which keeps the coefficients and shares no code with libjpeg.
    """
    codestreams = frames_of(dataset)
    by_way_of_jpeg_xl = [imagecodecs.jpegxl_encode_jpeg(codestream) for codestream in codestreams]
    return {
        "libjpeg-turbo": np.stack([imagecodecs.jpeg8_decode(each) for each in codestreams]),
        "libjxl": np.stack([imagecodecs.jpegxl_decode(each) for each in by_way_of_jpeg_xl]),
    }


def frames_of(dataset: Dataset) -> list[Codestream]:
    """The codestreams, as pydicom finds them."""
    tables = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
    extended = tables if all(tables) else None
    frames = generate_frames(
        dataset.PixelData, number_of_frames=frame_count(dataset), extended_offsets=extended
    )
    return list(frames)


def frame_count(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def dtype_of(dataset: Dataset) -> str:
    return f"<{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}"


def shape_of(dataset: Dataset) -> tuple[int, ...]:
    shape = (frame_count(dataset), dataset.Rows, dataset.Columns)
    return shape if dataset.SamplesPerPixel == 1 else (*shape, dataset.SamplesPerPixel)


def _native(dataset: Dataset) -> np.ndarray:
    """Whole words, as they are. For color-by-pixel without subsampling."""
    value = dataset.PixelData
    shape = shape_of(dataset)
    return np.frombuffer(value, dtype_of(dataset), count=int(np.prod(shape))).reshape(shape)


def _by_pydicom(dataset: Dataset, plugin: str) -> np.ndarray:
    with warnings.catch_warnings():
        # That Bits Stored is less than a codestream's precision is allowed, and pydicom tells.
        warnings.simplefilter("ignore")
        samples = pixel_array(dataset, raw=True, decoding_plugin=plugin)
    return samples.reshape(shape_of(dataset))


def _typed(frame: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Unsigned words that mean signed samples are two's complement of Bits Stored."""
    dtype = np.dtype(dtype_of(dataset))
    if dtype.kind == "i" and frame.dtype.kind == "u":
        unused = 8 * dtype.itemsize - dataset.BitsStored
        return (frame.astype(dtype) << unused) >> unused
    return frame.astype(dtype)


# --- decoders ------------------------------------------------------------------------------------


def _libjpeg_turbo(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.jpeg8_decode(data, **(_AS_CODED if dataset.SamplesPerPixel > 1 else {}))


def _jpegsof3(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.jpegsof3_decode(data)


def _liblj92(data: Codestream, dataset: Dataset) -> np.ndarray | None:
    """Of one component only; and it takes some images of a few pixels for damaged."""
    if dataset.SamplesPerPixel > 1 or dataset.Rows * dataset.Columns < 1000:
        return None
    return imagecodecs.ljpeg_decode(data)


def _jpeg_in_jpeg_xl(data: Codestream, dataset: Dataset) -> np.ndarray:
    return _libjpeg_turbo(imagecodecs.jpegxl_decode_jpeg(data), dataset)


def _charls(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.jpegls_decode(data)


def _openjpeg(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.jpeg2k_decode(data, numthreads=1)


def _openjph(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.htj2k_decode(data, planar=False)


def _libjxl(data: Codestream, dataset: Dataset) -> np.ndarray:
    return imagecodecs.jpegxl_decode(data, numthreads=1)


def _jxlpy_decoder(data: Codestream, dataset: Dataset) -> np.ndarray | None:
    """It stretches samples to all bits of their type."""
    if _jxlpy is None:
        return None
    decoded = _jxlpy.JXLPyDecoder(data, True).get_frame()
    size = 1 if dataset.BitsStored <= 8 else 2
    samples = np.frombuffer(decoded[0] if isinstance(decoded, tuple) else decoded, f"u{size}")
    stretch = ((1 << 8 * size) - 1) / ((1 << dataset.BitsStored) - 1)
    return np.rint(samples / stretch).reshape(shape_of(dataset)[1:])


def _packbits(data: Codestream, dataset: Dataset) -> np.ndarray:
    """PS3.5 Annex G: segments of bytes, each sample's highest first."""
    count, *offsets = struct.unpack_from("<16I", data)
    ends = [*offsets[1:count], len(data)]
    pixels = dataset.Rows * dataset.Columns
    planes = [
        np.frombuffer(imagecodecs.packbits_decode(data[start:end])[:pixels], "u1")
        for start, end in zip(offsets[:count], ends, strict=True)
    ]
    size = dataset.BitsAllocated // 8
    by_sample = np.stack(planes).reshape(dataset.SamplesPerPixel, size, pixels)
    words = np.ascontiguousarray(by_sample.transpose(2, 0, 1)).view(f">u{size}")
    return words.reshape(shape_of(dataset)[1:]).astype(f"u{size}")


_LOSSLESS_JPEG = {"libjpeg-turbo": _libjpeg_turbo, "jpegsof3": _jpegsof3, "liblj92": _liblj92}
_JPEG2000 = {"OpenJPEG": _openjpeg}
_HTJ2K = {"OpenJPEG": _openjpeg, "OpenJPH": _openjph}
_JPEG_XL = {"libjxl": _libjxl, "jxlpy": _jxlpy_decoder}
_DECODERS: Mapping[str, Mapping[str, Decode]] = {
    _J + "50": {"libjpeg-turbo": _libjpeg_turbo},
    _J + "51": {"libjpeg-turbo": _libjpeg_turbo},
    _J + "57": _LOSSLESS_JPEG,
    _J + "70": _LOSSLESS_JPEG,
    _J + "80": {"CharLS": _charls},
    _J + "81": {"CharLS": _charls},
    _J + "90": _JPEG2000,
    _J + "91": _JPEG2000,
    _J + "110": _JPEG_XL,
    _J + "111": {"libjpeg-turbo": _jpeg_in_jpeg_xl},
    _J + "112": {"libjxl": _libjxl},
    _J + "201": _HTJ2K,
    _J + "202": _HTJ2K,
    _J + "203": _HTJ2K,
    RLE: {"PackBits": _packbits},
}
_PLUGINS: Mapping[str, Sequence[str]] = {
    _J + "80": ("pyjpegls",),
    _J + "81": ("pyjpegls",),
    **dict.fromkeys([_J + "90", _J + "91", _J + "201", _J + "202", _J + "203"], ("pylibjpeg",)),
    RLE: ("pydicom", "pylibjpeg"),
}


# --- encoders, for sources -----------------------------------------------------------------------


def _narrow(frame: np.ndarray, bits: int) -> np.ndarray:
    return frame.astype(f"{frame.dtype.kind}1") if bits <= 8 else frame


def _unsigned(frame: np.ndarray, bits: int) -> np.ndarray:
    if frame.dtype.kind == "u":
        return frame
    return frame.view(f"u{frame.itemsize}") & ((1 << bits) - 1)


def _jpeg_lossless(predictor: int) -> Encode:
    def encode(frame: np.ndarray, bits: int) -> Codestream:
        bits = max(8, bits)
        colour = _UNNAMED if frame.ndim == 3 else {}
        return imagecodecs.jpeg8_encode(
            _unsigned(_narrow(frame, bits), bits),
            lossless=True,
            predictor=predictor,
            bitspersample=bits,
            **colour,
        )

    return encode


def _jpeg_ls(frame: np.ndarray, bits: int) -> Codestream:
    """Signed samples keep their sign in all bits above Bits Stored."""
    words = frame.view(f"u{frame.itemsize}")
    return imagecodecs.jpegls_encode(words, out=words.nbytes * 4 + 4096)


def _jpeg_2000(frame: np.ndarray, bits: int) -> Codestream:
    return imagecodecs.jpeg2k_encode(
        frame, codecformat="j2k", reversible=True, mct=False, bitspersample=bits, resolutions=3
    )


def _jpeg_2000_rct(frame: np.ndarray, bits: int) -> Codestream:
    return imagecodecs.jpeg2k_encode(
        frame, codecformat="j2k", reversible=True, mct=True, bitspersample=bits
    )


def _htj2k(frame: np.ndarray, bits: int) -> Codestream:
    return imagecodecs.htj2k_encode(frame, reversible=True, rgb=False if frame.ndim == 3 else None)


def _jpeg_xl(frame: np.ndarray, bits: int) -> Codestream:
    return imagecodecs.jpegxl_encode(
        _narrow(frame, bits), lossless=True, bitspersample=bits, effort=1
    )


def _rle(frame: np.ndarray, bits: int) -> Codestream:
    size = frame.itemsize
    planes = frame[..., np.newaxis].view("u1").reshape(-1, size)[:, ::-1]
    by_sample = planes.reshape(frame.shape[0] * frame.shape[1], -1)
    rows = by_sample.T.reshape(-1, *frame.shape[:2])
    segments = [b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in p) for p in rows]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = np.cumsum([64, *map(len, segments)])[:-1]
    header = struct.pack("<I", len(segments)) + struct.pack(f"<{len(offsets)}I", *offsets)
    return header.ljust(64, b"\0") + b"".join(segments)


LOSSLESS_ENCODERS: Mapping[str, Encode] = {
    _J + "57": _jpeg_lossless(7),
    _J + "70": _jpeg_lossless(1),
    _J + "80": _jpeg_ls,
    _J + "81": _jpeg_ls,
    _J + "90": _jpeg_2000,
    _J + "91": _jpeg_2000,
    _J + "110": _jpeg_xl,
    _J + "201": _htj2k,
    _J + "202": _htj2k,
    _J + "203": _htj2k,
    RLE: _rle,
}


def to_rgb(frames: np.ndarray, photometric: str) -> np.ndarray:
    """Colours of 8 bits as they are shown."""
    if not photometric.startswith("YBR_FULL"):
        return frames
    return convert_color_space(frames, "YBR_FULL", "RGB")
