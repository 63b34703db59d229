"""Any image survives any lossless syntax, and any chain of them; loss stays within its bound.

GATEWAY_TEST_EXAMPLES=20 in the environment tries 20 times as many images.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import independent
import numpy as np
import pytest
from codec_support import (
    DEFLATED,
    EXPLICIT,
    HTJ2K_LOSSY,
    IMPLICIT,
    J2K_LOSSY,
    JPEG_BASELINE,
    JPEG_LS_NEAR,
    RLE,
    convert,
    encapsulated,
    header_of,
    native,
    samples_of,
    write_file,
    write_native,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pixel_kinds import scene
from pydicom import Dataset, dcmread

TIMES = int(os.environ.get("GATEWAY_TEST_EXAMPLES", "1"))


def examples(count: int) -> settings:
    return settings(max_examples=count * TIMES, print_blob=True)


# --- any image -----------------------------------------------------------------------------------

GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
COLOURS = ("RGB", "YBR_FULL")
SOI = b"\xff\xd8"
SIDES = st.one_of(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.just(1), st.integers(1, 400)),
    st.tuples(st.integers(1, 400), st.just(1)),
)


@dataclass(frozen=True)
class Made:
    """Samples, (frames, rows, columns[, 3]), and what a data set says of them."""

    frames: np.ndarray
    bits: int
    photometric: str

    @property
    def is_signed(self) -> bool:
        return self.frames.dtype.kind == "i"

    def header(self, **changes: object) -> Dataset:
        described = {"BitsStored": self.bits, "PhotometricInterpretation": self.photometric}
        return header_of(self.frames, **(described | changes))

    def write(self, path: Path, *, planar: bool = False) -> Path:
        if self.frames.ndim == 3:
            return write_native(path, self.frames, **self._described())
        header = self.header(PlanarConfiguration=int(planar))
        frames = self.frames.transpose(0, 3, 1, 2) if planar else self.frames
        return write_file(path, EXPLICIT, header, native(frames.tobytes()))

    def _described(self) -> dict[str, object]:
        return {"BitsStored": self.bits, "PhotometricInterpretation": self.photometric}

    def allows(self, syntax_uid: str) -> bool:
        """By the tables of PS3.5 8.2, and by what the codecs know."""
        ending = syntax_uid.rpartition(".")[2]
        if ending in ("80", "81") and self.bits < 2:
            return False
        if ending in ("81", "91", "203") and self.photometric == "PALETTE COLOR":
            return False
        return ending != "110" or not (self.is_signed or self.photometric == "YBR_FULL")


def _texture(name: str, shape: tuple[int, ...], bits: int, seed: int) -> np.ndarray:
    """Levels from 0 to the largest of so many bits."""
    random = np.random.default_rng(seed)
    largest = (1 << bits) - 1
    if name == "smooth":
        return scene(shape, "i8", bits, seed) + (1 << bits - 1)
    if name == "extremes":
        return random.integers(0, 2, shape) * largest
    if name == "flat":
        return np.full(shape, random.integers(0, largest + 1))
    if name == "spots":
        return (random.random(shape) < 0.03) * random.integers(0, largest + 1, shape)
    return random.integers(0, largest + 1, shape)


@st.composite
def images(draw: st.DrawFn, *, colours: bool = True) -> Made:
    photometric = draw(st.sampled_from(GREY + (COLOURS if colours else ())))
    is_colour = photometric in COLOURS
    # OpenJPEG has no room for RGB noise of 2 bits, and says so; there are no such images.
    bits = 8 if photometric == "YBR_FULL" else draw(st.integers(3 if is_colour else 1, 16))
    size = 2 if bits > 8 else draw(st.sampled_from([1, 1, 2]))
    size = 1 if photometric == "YBR_FULL" else size
    is_signed = not is_colour and photometric != "PALETTE COLOR" and draw(st.booleans())
    sides = draw(SIDES)
    shape = (draw(st.integers(1, 3)), *sides, *((3,) if is_colour else ()))
    texture = draw(st.sampled_from(["noise", "smooth", "extremes", "flat", "spots"]))
    levels = _texture(texture, shape, bits, draw(st.integers(0, 1 << 16)))
    if is_signed:
        levels = levels - (1 << bits - 1)
    return Made(levels.astype(f"{'i' if is_signed else 'u'}{size}"), bits, photometric)


# --- without loss --------------------------------------------------------------------------------

CODED = tuple(independent.LOSSLESS_ENCODERS)
PLAIN = (IMPLICIT, EXPLICIT, DEFLATED)


@examples(150)
@given(made=images(), target=st.sampled_from(CODED), planar=st.booleans())
def test_any_image_is_the_same_for_every_decoder(made, target, planar):
    if not made.allows(target):
        return
    with TemporaryDirectory() as folder:
        source, result = made.write(Path(folder) / "source", planar=planar), Path(folder) / "result"
        convert(source, result, target)
        for name, samples in independent.read(result).items():
            np.testing.assert_array_equal(samples, made.frames, err_msg=name)


@examples(80)
@given(
    made=images(),
    chain=st.lists(st.sampled_from(CODED + PLAIN), min_size=2, max_size=3, unique=True),
    planar=st.booleans(),
)
def test_any_chain_of_syntaxes_comes_back_to_the_same_image(made, chain, planar):
    with TemporaryDirectory() as folder:
        path = made.write(Path(folder) / "0", planar=planar)
        for step, uid in enumerate([uid for uid in chain if made.allows(uid)], start=1):
            result = Path(folder) / str(step)
            convert(path, result, uid)
            path = result
        back = Path(folder) / "back"
        convert(path, back, EXPLICIT)
        found = dcmread(back)
        np.testing.assert_array_equal(samples_of(back), made.frames)
        assert found.PhotometricInterpretation == made.photometric
        assert (found.BitsStored, found.BitsAllocated) == (made.bits, 8 * made.frames.itemsize)
        assert found.PixelRepresentation == made.is_signed
        assert "LossyImageCompression" not in found


@st.composite
def cuts(draw: st.DrawFn, codestream: bytes) -> list[int]:
    """Where a codestream is cut into fragments of even length.

    Not within the first marker, by which a frame is known to begin, nor where another fragment
    would begin with that: the SPIFF header of JPEG-LS ends with one.
    """
    places = [
        place for place in range(16, len(codestream), 2) if not codestream.startswith(SOI, place)
    ]
    return sorted(draw(st.sets(st.sampled_from(places), max_size=5))) if places else []


@examples(80)
@given(made=images(), uid=st.sampled_from(CODED), data=st.data(), has_table=st.booleans())
def test_any_fragmentation_is_put_together(made, uid, data, has_table):
    """With an offset table, or found by their first marker, which RLE does not have."""
    if not made.allows(uid):
        return
    fragments, offsets = [], []
    for frame in made.frames:
        codestream = bytes(independent.LOSSLESS_ENCODERS[uid](frame, made.bits))
        places = [] if uid == RLE else data.draw(cuts(codestream))
        ends = [*places, len(codestream)]
        offsets.append(sum(8 + len(each) + len(each) % 2 for each in fragments))
        fragments += [codestream[start:end] for start, end in zip([0, *places], ends, strict=True)]
    table = np.array(offsets, "<u4").tobytes() if has_table else b""
    with TemporaryDirectory() as folder:
        source, result = Path(folder) / "source", Path(folder) / "result"
        write_file(source, uid, made.header(), encapsulated(fragments, table))
        convert(source, result, EXPLICIT)
        np.testing.assert_array_equal(samples_of(result), made.frames)


# --- with loss -----------------------------------------------------------------------------------


@examples(100)
@given(made=images(), max_error=st.integers(1, 40))
def test_near_lossless_keeps_its_bound(made, max_error):
    """For signed samples, away from where they would change their sign (which is refused)."""
    if not made.allows(JPEG_LS_NEAR) or 2 * max_error + 1 >= 1 << made.bits:
        return
    frames = made.frames
    if made.is_signed:
        limit = 1 << made.bits - 1
        frames = np.clip(frames, max_error - limit, limit - 1 - max_error)
    made = Made(frames, made.bits, made.photometric)
    with TemporaryDirectory() as folder:
        source, result = made.write(Path(folder) / "source"), Path(folder) / "result"
        convert(source, result, JPEG_LS_NEAR, max_error=max_error)
        for samples in independent.read(result).values():
            assert np.abs(samples.astype("i4") - frames.astype("i4")).max() <= max_error


@st.composite
def natural_images(draw: st.DrawFn) -> Made:
    bits = draw(st.sampled_from([8, 10, 12, 14, 16]))
    is_colour = draw(st.booleans())
    dtype = "u1" if bits == 8 else draw(st.sampled_from(["u2", "u2" if is_colour else "i2"]))
    sides = (draw(st.integers(100, 200)), draw(st.integers(100, 200)))
    shape = (1, *sides, 3) if is_colour else (1, *sides)
    frames = scene(shape, dtype, bits, draw(st.integers(0, 1 << 16)))
    return Made(frames, bits, "RGB" if is_colour else "MONOCHROME2")


@examples(40)
@given(
    made=natural_images(),
    uid=st.sampled_from([J2K_LOSSY, HTJ2K_LOSSY]),
    ratio=st.floats(3, 20),
)
def test_a_ratio_is_reached_and_not_passed_by_much(made, uid, ratio):
    """Unless nothing is left that could be coded: the 9-7 wavelet has its best at 50 dB or more."""
    with TemporaryDirectory() as folder:
        source, result = made.write(Path(folder) / "source"), Path(folder) / "result"
        report = convert(source, result, uid, ratio=ratio, measure=True)
        coded_bytes = sum(map(len, independent.frames_of(dcmread(result))))
        reached = made.frames.nbytes / coded_bytes
        assert 0.95 * ratio <= reached
        assert reached <= 1.2 * ratio or report.psnr_db > 48


@examples(30)
@given(made=natural_images(), uid=st.sampled_from([J2K_LOSSY, HTJ2K_LOSSY, JPEG_BASELINE]))
def test_what_is_worse_than_the_floor_is_sent_without_loss(made, uid):
    if uid == JPEG_BASELINE and made.bits != 8:
        return
    rate = {} if uid == JPEG_BASELINE else {"ratio": 10.0}
    with TemporaryDirectory() as folder:
        source, result = made.write(Path(folder) / "source"), Path(folder) / "result"
        psnr_db = convert(source, result, uid, measure=True, **rate).psnr_db or 200
        good_enough = convert(source, result, uid, minimum_psnr_db=psnr_db - 1, **rate)
        assert good_enough.lossy
        report = convert(source, result, uid, minimum_psnr_db=psnr_db + 1, **rate)
        assert not report.lossy
        assert "dB are asked for" in report.refusals[0]
        for samples in independent.read(result).values():
            np.testing.assert_array_equal(samples, made.frames)


# --- JPEG-LS of a few pixels ---------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 5, 8, 9, 12, 16])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 2), (1, 7), (7, 1), (8, 8), (1, 150), (9, 9, 3)]
)
def test_jpeg_ls_has_room_for_noise_of_a_few_pixels(shape, bits, tmp_path):
    """It may take more than twice the samples' own room, which is all that pyjpegls gives."""
    for seed in range(4):
        for texture in ("noise", "extremes"):
            levels = _texture(texture, (1, *shape), bits, seed)
            frames = levels.astype("u1" if bits <= 8 else "u2")
            source, result = tmp_path / "source", tmp_path / "result"
            write_native(source, frames, BitsStored=bits)
            convert(source, result, "1.2.840.10008.1.2.4.80")
            for samples in independent.read(result).values():
                np.testing.assert_array_equal(samples, frames)
