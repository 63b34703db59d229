"""Made pixels that compress like real ones, the same each time: neither flat nor noise.

Body, lungs, bone and vessels, with noise that has gone through the blur that a scanner's has; the
noise decides how far an image can be compressed, and is chosen so that a slice gives JPEG 2000 the
ratio that real ones of such a kernel give (about 3.3 without loss).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.integer]
Plane = npt.NDArray[np.float64]

SIDE = 512
_AIR, _FAT, _SOFT_TISSUE, _LUNG, _BONE = -1000.0, -90.0, 45.0, -860.0, 500.0
_OUTSIDE = -2000.0  # what scanners write around the circle that they reconstruct
_NOISE_HU = 18.0
_VESSELS = 40
# Centre, half axes (in half images) and value of what is drawn one over the other.
_ORGANS = (
    (0.0, 0.0, 0.88, 0.68, _FAT),
    (0.0, 0.0, 0.82, 0.62, _SOFT_TISSUE),
    (-0.42, -0.05, 0.30, 0.40, _LUNG),
    (0.42, -0.05, 0.28, 0.42, _LUNG),
    (0.05, -0.10, 0.18, 0.16, _SOFT_TISSUE + 15),
    (0.0, 0.42, 0.11, 0.09, _BONE),
    (0.0, 0.42, 0.05, 0.05, 20.0),
)
_Y, _X = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]


def ct(number: int) -> Pixels:
    """Slice `number` in Hounsfield units: (512, 512), int16, all 16 bits stored."""
    random = np.random.default_rng(number)
    image = np.full((SIDE, SIDE), _AIR)
    for x, y, a, b, value in (*_ORGANS, *_vessels(random)):
        image[((_X - x) / a) ** 2 + ((_Y - y) / b) ** 2 < 1] = value
    image = _blurred(image) + _grain(random, _NOISE_HU)
    image[_X**2 + _Y**2 >= 1] = _OUTSIDE
    return np.rint(image).astype("<i2")


def ct_of_12_bits(number: int) -> Pixels:
    """The same as scanners store it that know no sign: (512, 512), uint16, 12 bits stored."""
    return np.clip(ct(number) + 1024, 0, 4095).astype("<u2")


def photograph(number: int) -> Pixels:
    """A photograph of tissue: (512, 512, 3), uint8."""
    random = np.random.default_rng(number)
    light = 0.4 + 0.6 * np.exp(-1.5 * (_X**2 + _Y**2))
    folds = 12 * np.sin(9 * _X + 4 * np.sin(3 * _Y + number))
    planes = [(base + folds) * light + 6 * _grain(random, 1.0) for base in (200.0, 110.0, 95.0)]
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype("u1")


def _vessels(random: np.random.Generator) -> Iterator[tuple[float, ...]]:
    for _ in range(_VESSELS):
        x, y = random.uniform(-0.7, 0.7, 2)
        radius = random.uniform(0.008, 0.03)
        yield x, 0.6 * y, radius, radius, random.uniform(-50, 200)


def _grain(random: np.random.Generator, deviation: float) -> Plane:
    noise = _blurred(random.normal(size=(SIDE, SIDE)))
    return noise * (deviation / noise.std())


def _blurred(plane: Plane) -> Plane:
    """By a binomial filter of 3 x 3."""
    for axis in (0, 1):
        plane = (np.roll(plane, 1, axis) + 2 * plane + np.roll(plane, -1, axis)) / 4
    return plane
