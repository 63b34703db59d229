"""Which option a syntax knows, and what a result loses."""

import pytest

from gateway.dicom.rates import RATE_OF, idle_rates, loses, with_rate
from gateway.dicom.syntaxes import ALL, ladder, lookup
from gateway.model import TranscodeOptions


@pytest.mark.parametrize("name", ["jpeg", "jpeg12", "jpegxl-lossy"])
def test_jpeg_always_loses(name):
    assert loses(lookup(name), TranscodeOptions())


@pytest.mark.parametrize(
    ("name", "rate"),
    [("jpegls-near", {"max_error": 2}), ("j2k-lossy", {"ratio": 8.0}),
     ("htj2k-lossy", {"ratio": 8.0})],
)  # fmt: skip
def test_a_syntax_of_both_kinds_loses_only_when_its_own_rate_is_given(name, rate):
    others = {"quality": 80, "max_error": 2, "ratio": 8.0}.items() - rate.items()
    assert loses(lookup(name), TranscodeOptions(**rate))
    assert not loses(lookup(name), TranscodeOptions())
    assert not loses(lookup(name), TranscodeOptions(**dict(others)))


@pytest.mark.parametrize("syntax", [ts for ts in ALL if not ts.lossy], ids=lambda ts: ts.short)
def test_a_lossless_syntax_never_loses_and_knows_no_rate(syntax):
    assert not loses(syntax, TranscodeOptions(quality=80, ratio=8.0, max_error=2))
    assert syntax.uid not in RATE_OF


def test_the_keyword_and_the_short_name_htj2k_are_different_syntaxes():
    assert RATE_OF.get(lookup("HTJ2K").uid) == "ratio"
    assert lookup("htj2k").uid not in RATE_OF


def test_a_rate_is_idle_when_no_rung_knows_it():
    options = TranscodeOptions(quality=80, ratio=8.0)
    assert idle_rates(ladder("jpeg, explicit"), options) == ("ratio",)
    assert idle_rates(ladder("j2k-lossy, jpeg"), options) == ()
    assert idle_rates(ladder("j2k"), options) == ("quality", "ratio")


def test_the_syntaxes_that_know_a_rate_are_told():
    assert with_rate("ratio") == "JPEG2000, HTJ2K"
