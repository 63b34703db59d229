"""The gateway's codecs as plugins of pydicom, for programs that read and write with it.

    from gateway.codecs import pydicom_plugin
    pydicom_plugin.register()
    dcmread("12-bit.dcm").pixel_array

**This runs C code in the process that calls it.** The gateway itself decodes what it has received
in codec processes only, which have limits and may die; whoever reads files from strangers with
these plugins has neither. What is the same: headers of codestreams are held against the data set
before a decoder sees them, and what is called lossless is decoded by another library and compared.

Contract: pydicom's guides to decoder and encoder plugins (is_available, *_DEPENDENCIES).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from pydicom.pixels.common import CoderBase
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.encoders.base import EncodeRunner, get_encoder

from gateway.codecs import codestreams, planning, profiles
from gateway.codecs.coded import decode
from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding
from gateway.codecs.samples import for_encoder, from_native, refuse_next_to_sign, within_bits_stored
from gateway.codecs.table import CODECS
from gateway.dicom import syntaxes
from gateway.dicom.rates import idle_rates
from gateway.dicom.syntaxes import TransferSyntax
from gateway.errors import TranscodeUnsupported, VerificationFailed
from gateway.model import TranscodeOptions

LABEL = "gateway"
"""What to give to pydicom as decoding_plugin or encoding_plugin, where there are several."""

DECODER_DEPENDENCIES = {uid: (codec.decoded_by,) for uid, codec in CODECS.items()}
ENCODER_DEPENDENCIES = {
    uid: tuple(dict.fromkeys((codec.encoded_by, codec.checked_by)))
    for uid, codec in CODECS.items()
    if codec.encode
}
# pydicom's are bare; ours have gone through the component transformation of JPEG 2000 already.
_TRANSFORMED = {"YBR_RCT": "RGB", "YBR_ICT": "RGB"}


def register() -> None:
    """Offer our codecs for every transfer syntax that pydicom and we know. Not thread-safe.

    pydicom asks those first that were there before, unless it is given our LABEL.
    """
    for coder, function in _coders():
        if LABEL not in coder.available_plugins:
            coder.add_plugin(LABEL, (__name__, function))


def unregister() -> None:
    """Take them back."""
    for coder, _ in _coders():
        if LABEL in coder.available_plugins:
            coder.remove_plugin(LABEL)


def is_available(uid: str) -> bool:
    """True when we have a codec; pydicom asks for syntaxes to which register() adds us."""
    return uid in CODECS


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """The samples of one frame, color-by-pixel, in the type that the data set describes.

    Raises CodecFailed (the codestream is not such a frame), and whatever a library likes to.
    """
    syntax = syntaxes.lookup(runner.transfer_syntax)
    image = _image(runner, runner.bits_allocated)
    codec = CODECS[syntax.uid]
    frame = decode(codestreams.without_jp2_boxes(src), codec, syntax, image)
    if image.samples > 1:
        runner.set_option("planar_configuration", 0)
    if image.photometric in _TRANSFORMED:
        runner.set_option("photometric_interpretation", _TRANSFORMED[image.photometric])
    return frame.tobytes()


def encode_frame(src: bytes, runner: EncodeRunner) -> bytes:
    """One frame as a codestream, proven when nothing may be lost.

    Of pydicom's options, jls_error and a single j2k_cr are known. Raises TranscodeError.
    """
    target = syntaxes.lookup(runner.transfer_syntax)
    image = _image_of_samples(src, runner)
    options = _options(runner, image, target)
    frame = from_native(src, image)
    if profiles.keeps_unused_bits(target):
        # pydicom took them away, and leaves Bits Allocated, by which readers will go, as it is.
        image = replace(image, bits_allocated=runner.bits_allocated)
        frame = frame.astype(image.dtype)
    else:
        frame = for_encoder(within_bits_stored(frame, image), image)
    if options.max_error is not None:
        refuse_next_to_sign(frame, image, options.max_error)
    plan = planning.recoding(image, None, target, options, is_native=True)
    encode = CODECS[target.uid].encode
    assert encode is not None, "register() adds what encodes"
    coded = encode(frame, plan)
    if not plan.loses:
        _prove(coded, frame, plan)
    return coded


def _coders() -> Iterator[tuple[CoderBase, str]]:
    """pydicom's objects for our syntaxes, and what we have for them."""
    for uid, codec in CODECS.items():
        with suppress(NotImplementedError):  # pydicom knows no JPEG XL
            yield get_decoder(uid), decode_frame.__name__
        if codec.encode:
            with suppress(NotImplementedError):  # and encodes in fewer syntaxes than it decodes
                yield get_encoder(uid), encode_frame.__name__


def _image(runner: DecodeRunner | EncodeRunner, bits_allocated: int) -> Image:
    return Image(
        rows=runner.rows,
        columns=runner.columns,
        samples=runner.samples_per_pixel,
        bits_allocated=bits_allocated,
        bits_stored=runner.bits_stored,
        high_bit=runner.bits_stored - 1,
        signed=runner.pixel_representation == 1,
        photometric=str(runner.photometric_interpretation),
        planar=runner.samples_per_pixel > 1 and runner.planar_configuration == 1,
        frames=1,
    )


def _image_of_samples(src: bytes, runner: EncodeRunner) -> Image:
    """What pydicom hands to encoders: samples in the fewest bytes, before any transformation."""
    samples = runner.rows * runner.columns * runner.samples_per_pixel
    image = _image(runner, len(src) // samples * 8)
    # Arrays are color-by-pixel whatever the data set says, but for JPEG-LS.
    as_described = not runner.is_array or "JPEGLS" in runner.transfer_syntax.keyword
    return replace(
        image,
        photometric=_TRANSFORMED.get(image.photometric, image.photometric),
        planar=image.planar and as_described,
    )


def _options(runner: EncodeRunner, image: Image, target: TransferSyntax) -> TranscodeOptions:
    """Raises TranscodeUnsupported for options that the target, or our codec, does not know."""
    ratios = runner.get_option("j2k_cr") or []
    if len(ratios) > 1 or runner.get_option("j2k_psnr") or runner.get_option("byteorder") == ">":
        raise TranscodeUnsupported(
            "quality layers, a given PSNR and Big Endian samples are not supported"
        )
    options = TranscodeOptions(
        max_error=runner.get_option("jls_error") or None,
        # pydicom's ratios are to the bits that are stored, ours to those that are allocated.
        ratio=ratios[0] * image.bits_allocated / image.bits_stored if ratios else None,
        photometric=str(runner.photometric_interpretation) if image.samples > 1 else "",
    )
    if idle := idle_rates((target,), options):
        raise TranscodeUnsupported(f"{target.keyword} knows no {idle[0]}")
    return options


def _prove(coded: bytes, frame: Frame, plan: Recoding) -> None:
    codec = CODECS[plan.target.uid]
    assert codec.check is not None, "all that pydicom encodes can be checked"
    found = decode(coded, replace(codec, decode=codec.check), plan.target, plan.samples)
    if not np.array_equal(found, frame):
        raise VerificationFailed(f"{codec.checked_by} read other samples back")
