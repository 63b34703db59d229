"""How far a lossy result is from its source: largest error and peak signal-to-noise ratio."""

import math
from dataclasses import dataclass

import numpy as np

from gateway.codecs.image import Frame, Image


@dataclass(frozen=True, slots=True)
class Difference:
    """Of some frames. squares: sum of squared errors of `samples` samples."""

    squares: float = 0.0
    samples: int = 0
    max_error: int = 0

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(
            self.squares + other.squares,
            self.samples + other.samples,
            max(self.max_error, other.max_error),
        )

    def psnr_db(self, image: Image) -> float | None:
        """Peak is the range of Bits Stored. None: nothing differs, it would be infinite."""
        if not self.squares:
            return None
        peak = (1 << image.bits_stored) - 1
        return 10 * math.log10(peak**2 * self.samples / self.squares)


def difference(found: Frame, meant: Frame) -> Difference:
    """Of two frames of the same shape and type."""
    error = found.astype(np.int32) - meant.astype(np.int32)
    return Difference(
        float(np.square(error, dtype=np.float64).sum()), error.size, int(np.abs(error).max())
    )
