"""How the options of a site, a destination and a call make one."""

from gateway.config.models import Codecs
from gateway.config.transcoding import OPTIONS, TranscodeSettings
from gateway.model import TranscodeOptions


def test_every_option_can_be_configured():
    assert set(OPTIONS) == TranscodeSettings.model_fields.keys()


def test_what_nobody_says_is_as_built_in():
    """Rates among it: one that is given has what JPEG XL holds of a JPEG made anew, with loss."""
    assert TranscodeSettings().options() == TranscodeOptions()
    assert Codecs().options() == TranscodeOptions()


def test_each_option_of_a_destination_overrides_that_of_the_site_alone():
    site = Codecs(quality=70, ratio=8.0, verify=False, photometric="RGB")
    destination = TranscodeSettings(quality=80, verify=True)
    assert destination.options(site.options()) == TranscodeOptions(
        quality=80, ratio=8.0, verify=True, photometric="RGB"
    )


def test_false_is_said_and_not_left_out():
    assert TranscodeSettings(keep_uid=False).options(TranscodeOptions(keep_uid=True)).keep_uid is (
        False
    )
