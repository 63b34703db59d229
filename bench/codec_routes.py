"""What the benchmark of the codecs transcodes: made images, and from which syntax to which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from images import header
from phantoms import Pixels, ct, ct_of_12_bits, photograph
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from gateway.codecs.processes import CodecPool
from gateway.dicom import syntaxes
from gateway.dicom.rates import RATES
from gateway.dicom.syntaxes import TransferSyntax
from gateway.model import TranscodeOptions

EXPLICIT = "explicit"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of pixels, 512x512. header: what differs from a slice of 16 bits with a sign."""

    name: str
    make: Callable[[int], Pixels]
    header: dict[str, object] = field(default_factory=dict)


CT = Kind("CT 16", ct)
CT_12 = Kind(
    "CT 12",
    ct_of_12_bits,
    {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "RescaleIntercept": -1024},
)
PHOTOGRAPH = Kind(
    "RGB 8",
    photograph,
    {
        "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0,
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """From one transfer syntax, by its short name, to another."""

    target_name: str
    source_name: str = EXPLICIT
    kind: Kind = CT
    options: TranscodeOptions = TranscodeOptions()  # noqa: RUF009 (it is frozen)

    @property
    def source(self) -> TransferSyntax:
        return syntaxes.lookup(self.source_name)

    @property
    def target(self) -> TransferSyntax:
        return syntaxes.lookup(self.target_name)

    @property
    def target_title(self) -> str:
        """The target and how much it may lose: j2k-lossy ratio 10."""
        said = ((name, getattr(self.options, name)) for name in RATES)
        rates = [f"{name.replace('_', ' ')} {rate:g}" for name, rate in said if rate is not None]
        return " ".join([self.target_name, *rates])

    @property
    def title(self) -> str:
        """From where to where; from Explicit VR Little Endian when it does not say."""
        begin = "" if self.source_name == EXPLICIT else f"{self.source_name} > "
        return begin + self.target_title


ROUTES = (
    Route("j2k"),
    Route("htj2k"),
    Route("htj2k-rpcl"),
    Route("jpegls"),
    Route("jpeg-lossless"),
    Route("jpeg-lossless-any"),
    Route("rle"),
    Route("jpegxl-lossless", kind=CT_12),
    Route("jpeg12", kind=CT_12, options=TranscodeOptions(quality=90)),
    Route("jpeg", kind=PHOTOGRAPH, options=TranscodeOptions(quality=90)),
    Route("jpegls-near", options=TranscodeOptions(max_error=2)),
    Route("j2k-lossy", options=TranscodeOptions(ratio=10)),
    Route("htj2k-lossy", options=TranscodeOptions(ratio=10)),
    Route("jpegxl-lossy", kind=PHOTOGRAPH, options=TranscodeOptions(quality=90)),
    Route("jpegxl-jpeg", "jpeg", kind=PHOTOGRAPH),
    Route("htj2k", "j2k"),
    Route("explicit", "j2k"),
    Route("explicit", "htj2k"),
    Route("explicit", "jpegls"),
    Route("explicit", "jpeg-lossless"),
    Route("explicit", "rle"),
    Route("explicit", "jpeg", kind=PHOTOGRAPH),
    Route("implicit"),
    Route("deflated"),
)


@dataclass(frozen=True, slots=True)
class Image:
    """One file, and the pixels of its frames."""

    path: Path
    pixels: Sequence[Pixels]

    @property
    def pixel_bytes(self) -> int:
        """Of all frames, in native form."""
        return sum(frame.nbytes for frame in self.pixels)


def make_image(route: Route, frames: int, folder: Path, pool: CodecPool) -> Image:
    """Write an image of so many frames, in the syntax in which the route begins."""
    pixels = [_made(route.kind, number) for number in range(frames)]
    native = folder / f"{route.kind.name.replace(' ', '-')}-{frames}-{EXPLICIT}.dcm"
    if not native.exists():
        _describe(route.kind, frames, pixels).save_as(native, enforce_file_format=True)
    if route.source_name == EXPLICIT:
        return Image(native, pixels)
    coded = native.with_name(native.name.replace(EXPLICIT, route.source_name))
    if not coded.exists():
        pool.transcode(native, coded, [route.source.uid], TranscodeOptions())
    return Image(coded, pixels)


@cache
def _made(kind: Kind, number: int) -> Pixels:
    return kind.make(number)


def _describe(kind: Kind, frames: int, pixels: Sequence[Pixels]) -> Dataset:
    image = header(0, generate_uid(), generate_uid())
    for keyword, value in kind.header.items():
        setattr(image, keyword, value)
    if frames > 1:
        image.NumberOfFrames = frames
    vr = "OB" if image.BitsAllocated == 8 else "OW"
    image.add_new("PixelData", vr, b"".join(frame.tobytes() for frame in pixels))
    return image
