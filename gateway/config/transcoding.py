"""How to transcode: the same options for a site, for a destination and for one call in a script."""

from dataclasses import fields, replace
from typing import Annotated, Literal

from pydantic import Field

from gateway.config.section import Section
from gateway.model import TranscodeOptions

Quality = Annotated[int, Field(ge=1, le=100)]
Ratio = Annotated[float, Field(gt=1, allow_inf_nan=False)]
LargestError = Annotated[int, Field(ge=1)]
Decibels = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# Of the colour images only: a grey one has no choice, and colours of a palette are never changed.
Photometric = Literal["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"]
UnusedBits = Literal["refuse", "clear"]

_BUILT_IN = TranscodeOptions()


class TranscodeSettings(Section):
    """How to transcode. What is left out is as the next wider place says.

    Narrow to wide: the call in a script, its destination, `[codecs]`.
    """

    verify: bool | None = Field(
        default=None, description="decode every lossless result with another library and compare"
    )
    quality: Quality | None = Field(
        default=None, description="for JPEG Baseline and Extended, and lossy JPEG XL"
    )
    ratio: Ratio | None = Field(
        default=None,
        description="native bytes / coded bytes, for JPEG 2000 and HTJ2K that may be lossy",
    )
    max_error: LargestError | None = Field(
        default=None, description="largest difference of a sample, for JPEG-LS near-lossless"
    )
    photometric: Photometric | None = Field(
        default=None, description="what a colour image is to be coded in"
    )
    keep_uid: bool | None = Field(
        default=None, description="a lossy result keeps its SOP Instance UID"
    )
    unused_bits: UnusedBits | None = Field(
        default=None,
        description="what to do with bits above High Bit that the target cannot hold",
    )
    measure: bool | None = Field(
        default=None, description="tell PSNR and largest error of a lossy result"
    )
    minimum_psnr_db: Decibels | None = Field(
        default=None, description="a lossy result that is worse is made without loss instead"
    )

    def options(self, otherwise: TranscodeOptions = _BUILT_IN) -> TranscodeOptions:
        """What is said here; what is not, as in `otherwise`."""
        said = {name: getattr(self, name) for name in OPTIONS}
        return replace(
            otherwise, **{key: value for key, value in said.items() if value is not None}
        )


OPTIONS = tuple(option.name for option in fields(TranscodeOptions))
