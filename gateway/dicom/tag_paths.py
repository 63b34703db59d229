"""Where an element is: at the top of a data set, or inside items of sequences."""

import re
from dataclasses import dataclass

from pydicom.tag import BaseTag

from gateway.dicom.tag_names import parse_tag

_STEP = re.compile(r"(?P<tag>[^\[\].]+)\[(?P<index>[^\]]*)\]\.")
EVERY = None


class BadIndex(ValueError):
    """What stands between the brackets is neither a number nor `*`."""

    def __init__(self, index: str) -> None:
        super().__init__(f"Not a valid index in parent path: [{index}]")


@dataclass(frozen=True, slots=True)
class TagPath:
    """parents: sequences from the outside in, each with the number of an item from 0, or EVERY."""

    parents: tuple[tuple[BaseTag, int | None], ...]
    tag: BaseTag

    @property
    def inside(self) -> "TagPath":
        """The same place, as it is seen from an item of the outermost sequence."""
        return TagPath(self.parents[1:], self.tag)


def parse_path(text: str) -> TagPath:
    """`PatientName`, `0008,1140[0].ReferencedSOPInstanceUID`, `SourceImageSequence[*].0010,0010`.

    Raises UnknownTag, BadIndex.
    """
    parents = []
    rest = text
    while step := _STEP.match(rest):
        parents.append((parse_tag(step["tag"]), _index(step["index"])))
        rest = rest[step.end() :]
    return TagPath(tuple(parents), parse_tag(rest))


def _index(text: str) -> int | None:
    if text == "*":
        return EVERY
    if not (text.isascii() and text.isdecimal()):
        raise BadIndex(text)
    return int(text)
