"""pydicom reads and writes with our codecs, once they are registered."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import independent
import numpy as np
import pydicom
import pytest
from codec_support import EXPLICIT, J2K, J2K_LOSSY, JPEG_LS, RLE, noise, write_native
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import get_decoder, get_encoder, pixel_array
from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS

from gateway.codecs import pydicom_plugin, table
from gateway.codecs.pydicom_plugin import LABEL

BUNDLED = Path(pydicom.__file__).with_name("data") / "test_files"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
# Its codestream claims to have 3,722,445,056 columns.
NONSENSE = "JPEG2000-embedded-sequence-delimiter.dcm"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
LOSSLESS = (J2K, JPEG_LS, RLE)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    pydicom_plugin.register()
    yield
    pydicom_plugin.unregister()


def read(path: Path, **how: bool) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some files are wrong on purpose
        return dcmread(path, force=True, **how)


def compressed_files() -> list[Path]:
    """Those of pydicom's that our table names, and that have pixels."""
    return [
        path
        for path in sorted(BUNDLED.glob("*.dcm"))
        for dataset in [read(path, stop_before_pixels=True)]
        if dataset.file_meta.get("TransferSyntaxUID") in table.CODECS
        and "Rows" in dataset
        and path.name != NONSENSE
    ]


def samples(dataset: Dataset, plugin: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixel_array(dataset, raw=True, decoding_plugin=plugin)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", compressed_files(), ids=lambda path: path.name)
def test_bundled_files_are_read_as_all_other_plugins_read_them(path: Path):
    dataset = read(path)
    ours = samples(dataset, LABEL)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    for other in set(decoder.available_plugins) - {LABEL}:
        np.testing.assert_array_equal(ours, samples(dataset, other), err_msg=other)


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_12_bit_jpeg_is_read_which_pydicom_alone_cannot(name: str):
    path = Path(get_testdata_file(name))
    assert get_decoder(JPEG_EXTENDED).available_plugins == (LABEL,)
    image = read(path).pixel_array
    assert image.shape == (1024, 256)
    for other, frames in independent.read(path).items():
        np.testing.assert_array_equal(image, frames[0], err_msg=other)
    pydicom_plugin.unregister()
    with pytest.raises(RuntimeError, match="missing dependencies"):
        _ = read(path).pixel_array


def test_colours_come_as_pydicom_promises_them():
    dataset = read(Path(get_testdata_file("examples_jpeg2k.dcm")))
    assert dataset.PhotometricInterpretation == "YBR_RCT"
    decoder = get_decoder(J2K)
    ours, properties = decoder.as_array(dataset, decoding_plugin=LABEL)
    theirs, _ = decoder.as_array(dataset, decoding_plugin="pylibjpeg")
    assert properties["photometric_interpretation"] == "RGB"
    np.testing.assert_array_equal(ours, theirs)


def test_a_codestream_that_is_not_the_image_of_the_data_set_gets_to_no_decoder():
    dataset = read(Path(get_testdata_file(NONSENSE)))
    with pytest.raises(RuntimeError, match="the codestream has 1024x3722445056 pixels"):
        samples(dataset, LABEL)


# --- writing -------------------------------------------------------------------------------------

KINDS = [
    pytest.param(noise((1, 40, 33), "u1"), {}, id="u8"),
    pytest.param(noise((1, 40, 33), "u2", 12), {"BitsStored": 12}, id="u12"),
    pytest.param(noise((3, 40, 33), "i2"), {}, id="i16 frames"),
    pytest.param(noise((1, 40, 33), "u2", 8), {"BitsStored": 8}, id="u8 of 16"),
    pytest.param(noise((2, 40, 33, 3), "u1"), {}, id="rgb frames"),
    pytest.param(noise((1, 40, 33, 3), "u1"), {"PlanarConfiguration": 1}, id="rgb by plane"),
]


@pytest.mark.parametrize("uid", LOSSLESS)
@pytest.mark.parametrize(("frames", "header"), KINDS)
def test_what_we_compress_for_pydicom_is_the_same_to_all_plugins(
    tmp_path: Path, uid: str, frames: np.ndarray, header: dict[str, int]
):
    dataset = dcmread(write_native(tmp_path / "image.dcm", frames, EXPLICIT, **header))
    expected = pixel_array(dataset, raw=True)
    dataset.compress(uid, encoding_plugin=LABEL)
    if uid != RLE and "PlanarConfiguration" in dataset:
        dataset.PlanarConfiguration = 0  # pydicom leaves what the pixels had before
    for plugin in get_decoder(uid).available_plugins:
        np.testing.assert_array_equal(samples(dataset, plugin), expected, err_msg=plugin)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("uid", LOSSLESS)
def test_arrays_are_compressed_whatever_the_planar_configuration_says(
    tmp_path: Path, uid: str, planar: int
):
    colours = noise((1, 40, 33, 3), "u1")
    dataset = dcmread(write_native(tmp_path / "image.dcm", colours))
    dataset.PlanarConfiguration = planar
    dataset.compress(uid, colours[0], encoding_plugin=LABEL)
    np.testing.assert_array_equal(samples(dataset, LABEL), colours[0])


def test_near_lossless_keeps_its_bound(tmp_path: Path):
    frames = noise((1, 40, 33), "u1")
    dataset = dcmread(write_native(tmp_path / "image.dcm", frames))
    dataset.compress(JPEG_LS_NEAR, jls_error=3, encoding_plugin=LABEL)
    error = np.abs(samples(dataset, "pyjpegls").astype(int) - frames[0])
    assert error.max() == 3


def test_a_ratio_is_reached(tmp_path: Path):
    frames = noise((1, 256, 256), "u2", 12)
    dataset = dcmread(write_native(tmp_path / "image.dcm", frames, EXPLICIT, BitsStored=12))
    dataset.compress(J2K_LOSSY, j2k_cr=[8], encoding_plugin=LABEL)
    assert len(dataset.PixelData) == pytest.approx(256 * 256 * 12 / 8 / 8, rel=0.05)


REFUSED = [
    pytest.param(J2K, {"j2k_cr": [8]}, "knows no ratio", id="lossless with a ratio"),
    pytest.param(J2K_LOSSY, {"j2k_cr": [20, 5]}, "quality layers", id="layers"),
    pytest.param(J2K_LOSSY, {"j2k_psnr": [50]}, "PSNR", id="psnr"),
    pytest.param(JPEG_LS, {"jls_error": 2}, "knows no max_error", id="lossless with an error"),
    pytest.param(RLE, {"byteorder": ">"}, "Big Endian", id="big endian"),
]


@pytest.mark.parametrize(("uid", "options", "reason"), REFUSED)
def test_options_that_we_do_not_know_are_refused(uid: str, options: dict[str, object], reason: str):
    described = {
        "rows": 40, "columns": 33, "samples_per_pixel": 1, "number_of_frames": 1,
        "bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    with pytest.raises(RuntimeError, match=reason):
        get_encoder(uid).encode(
            noise((40, 33), "u1"), encoding_plugin=LABEL, **described, **options
        )


def test_an_encoder_that_loses_something_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dataset = dcmread(write_native(tmp_path / "image.dcm", noise((1, 40, 33), "u1")))
    good = table.CODECS[J2K]
    monkeypatch.setitem(table.CODECS, J2K, _without_lowest_bit(good))
    with pytest.raises(RuntimeError, match="pylibjpeg-openjpeg read other samples back"):
        dataset.compress(J2K, encoding_plugin=LABEL)


def _without_lowest_bit(codec: table.Codec) -> table.Codec:
    encode = codec.encode
    assert encode is not None
    return replace(codec, encode=lambda frame, plan: encode(frame & 0xFE, plan))


# --- registering ---------------------------------------------------------------------------------


def test_registering_twice_and_taking_back_twice_does_no_harm():
    pydicom_plugin.register()
    assert LABEL in get_decoder(J2K).available_plugins
    assert LABEL in get_encoder(J2K).available_plugins
    pydicom_plugin.unregister()
    pydicom_plugin.unregister()
    assert LABEL not in get_decoder(J2K).available_plugins
    assert LABEL not in get_encoder(J2K).available_plugins


def test_all_still_image_syntaxes_that_pydicom_decodes_have_our_plugin():
    for uid, (decoder, _) in _PIXEL_DATA_DECODERS.items():
        assert (LABEL in decoder.available_plugins) == uid.is_encapsulated
