"""Elements that the site has named: private ones, and others that PS3.6 does not know.

A property of the site, like its default encoding: one for the process. pydicom learns the value
representations, and the names of elements that are not private.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.datadict import add_dict_entry, add_private_dict_entry

from gateway.dicom import names, tag_names, vrs

_private: dict[tuple[str, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class SiteElement:
    """One of them. element: all four digits, or the lower two in a block that `creator` reserves.

    creator: "" for an element that is not private, or of a creator that nobody told.
    """

    group: int
    element: int
    vr: str
    name: str
    creator: str = ""


def set_site_dictionary(elements: Iterable[SiteElement]) -> None:
    """Name these elements from now on, and no private ones that were named before."""
    _private.clear()
    for each in elements:
        if each.group & 1:
            _add_private(each)
        else:
            tag = each.group << 16 | each.element
            add_dict_entry(tag, each.vr, each.name, each.name)
    for forget in (
        names.public_name.cache_clear,
        tag_names.parse_tag.cache_clear,
        tag_names.tag_name.cache_clear,
        vrs.dictionary_vr.cache_clear,
    ):
        forget()


def private_name(tag: int, creator: str) -> str:
    """What the site calls an element in the block of a creator, "" when it has no name for it."""
    group, element = tag >> 16, tag & 0xFF
    return _private.get((creator, group, element)) or _private.get(("", group, element), "")


def element_name(tag: int, creator: str) -> str:
    """What Orthanc calls an element, unless the site has named it.

    creator: of the private block that it is in, "" when it is in none.
    """
    if creator:
        return private_name(tag, creator) or names.private_name(creator, tag)
    return names.public_name(tag)


def _add_private(each: SiteElement) -> None:
    element = each.element & 0xFF
    _private[each.creator, each.group, element] = each.name
    if each.creator:
        # In whatever block: pydicom wants one all the same.
        tag = each.group << 16 | 0x1000 | element
        add_private_dict_entry(each.creator, tag, each.vr, each.name)
