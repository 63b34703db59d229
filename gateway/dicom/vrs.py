"""Value representations: what the data dictionary says, and how values are laid out.

Standard: PS3.5 6.2, 7.1.2; PS3.6.
"""

from functools import lru_cache

# Explicit VR: two reserved bytes and a 32-bit length instead of a 16-bit length (PS3.5 7.1.2).
LONG_LENGTH = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)
SPACE_PADDED = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"}
)
# How many bytes change places when the byte order does; AT is two 16-bit numbers.
WORD_BYTES = {
    "AT": 2, "OW": 2, "SS": 2, "US": 2,
    "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4,
    "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8,
}  # fmt: skip
KNOWN = frozenset(SPACE_PADDED | LONG_LENGTH | WORD_BYTES.keys() | {"UI"})


@lru_cache(maxsize=8192)
def dictionary_vr(tag: int, *, signed_pixels: bool) -> str:
    """The VR of a standard element that does not say it; UN for one that PS3.6 does not know.

    signed_pixels: the data set's Pixel Representation is 1, which decides "US or SS". Elements
    that may be OW are, as Implicit VR Little Endian has them (PS3.5 A.1).
    """
    # Not above: whoever reads a configuration needs no pydicom, which takes 0.3 s to load.
    from pydicom.datadict import dictionary_VR

    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if "OW" in vr:
        return "OW"
    if vr == "US or SS":
        return "SS" if signed_pixels else "US"
    return vr if vr in KNOWN else "UN"
