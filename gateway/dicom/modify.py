"""Changing a data set: replace, remove, de-identify. No files: a data set and what to do with it.

Values are set as bytes; what is not asked for stays as it was encoded.
Standard: PS3.5 6, 7.5, 7.8; PS3.15 Annex E.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydicom import Dataset
from pydicom.datadict import private_dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from gateway.dicom.deidentification import Action, Profile
from gateway.dicom.identifiers import derived_uid
from gateway.dicom.tag_paths import EVERY, TagPath
from gateway.dicom.tags import MAXIMUM_DEPTH, Context, context_of, private_creator, vr_of
from gateway.dicom.texts import (
    SPECIFIC_CHARACTER_SET,
    UTF_8,
    DoesNotFit,
    character_set_of,
    declare,
    has_foreign_text,
    recode,
)
from gateway.dicom.values import ValueRefused, value_bytes
from gateway.dicom.vrs import dictionary_vr
from gateway.dicom.walking import edit_items, elements_of, put_items, put_value
from gateway.errors import InstanceUnreadable

Value: TypeAlias = "str | Sequence[Mapping[BaseTag, Value]]"
"""Text with backslashes between several values, or the items of a sequence."""

_OF_THE_STANDARD = "1.2.840.10008."
_FILE_META_GROUP = 0x0002


class BadValue(ValueError):
    """A value that its element cannot have."""

    def __init__(self, tag: BaseTag, text: str) -> None:
        super().__init__(
            f'tag ({tag.group:04x},{tag.element:04x}) has out-of-range value: "{text}"'
        )


@dataclass(frozen=True, slots=True)
class Uids:
    """New UIDs for old ones: the same for the same, in every data set.

    known: of the resources that are modified together; those that keep theirs are here as well.
    salt: makes the others; nobody who does not know it can tell the old ones.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    salt: str = ""

    def anonymous(self, uid: str) -> str:
        """The UID that stands for this one. Those of the standard name no patient's data."""
        if uid in self.known:
            return self.known[uid]
        return uid if uid.startswith(_OF_THE_STANDARD) or not uid else self.new(uid)

    def new(self, uid: str) -> str:
        """Another UID for this one."""
        return derived_uid(uid, self.salt)


@dataclass(frozen=True, slots=True)
class Modification:
    """What is to be done to a data set; keep is stronger than replace, and replace than remove.

    A path without parents in `keep` keeps that element in items of sequences, too. profile: what
    else has to go so that the patient is not known. private_creator: whose elements are meant by
    private tags in blocks that nobody has reserved.
    """

    replace: Mapping[TagPath, Value] = field(default_factory=dict)
    remove: Set[TagPath] = frozenset()
    keep: Set[TagPath] = frozenset()
    remove_private: bool = False
    private_creator: str = ""
    profile: Profile | None = None
    uids: Uids = Uids()


def modify(dataset: Dataset, wanted: Modification) -> None:
    """Change the data set, of which no element has been converted by pydicom.

    Texts stay in the character set of the data set; when it lacks a character that is needed, all
    of them change to UTF-8. Raises BadValue, DoesNotFit (a character set that was asked for),
    InstanceUnreadable (sequences are nested too deeply).
    """
    _Pruning(wanted).prune(dataset, Context(), wanted.keep)
    for path in wanted.remove - wanted.keep:
        _remove(dataset, path)
    replacing = {path: value for path, value in wanted.replace.items() if path not in wanted.keep}
    _change_character_set(dataset, replacing.pop(TagPath((), SPECIFIC_CHARACTER_SET), None))
    try:
        _replace_all(dataset, replacing, wanted.private_creator)
    except DoesNotFit:
        recode(dataset, UTF_8)
        _replace_all(dataset, replacing, wanted.private_creator)


# --- what goes, and UIDs -------------------------------------------------------------------------


class _Pruning:
    """Removes private elements, applies a profile, and gives new UIDs, on all levels."""

    def __init__(self, wanted: Modification) -> None:
        self._wanted = wanted

    def prune(self, dataset: Dataset, outer: Context, keep: Set[TagPath]) -> bool:
        """True when something was changed."""
        if not (self._wanted.remove_private or self._wanted.profile or self._wanted.uids.known):
            return False
        context = context_of(dataset, outer)
        if context.depth > MAXIMUM_DEPTH:
            raise InstanceUnreadable("sequences are nested too deeply")
        kept = {path.tag for path in keep if not path.parents}
        # Without its creator, nobody knows what a private element is (PS3.5 7.8.1).
        kept |= {_creator_tag(tag) for tag in kept if tag.is_private}
        changes = [
            self._prune_element(dataset, tag, vr, value, context, keep)
            for tag, vr, value in elements_of(dataset, context)
            if tag not in kept
        ]
        return any(changes)

    def _prune_element(
        self,
        dataset: Dataset,
        tag: BaseTag,
        vr: str,
        value: bytes,
        context: Context,
        keep: Set[TagPath],
    ) -> bool:
        action = self._action(tag)
        if action is Action.REMOVE:
            del dataset[tag]
            return True
        if action is Action.EMPTY:
            put_value(dataset, tag, vr, b"")
            return True
        if vr == "SQ":
            return edit_items(
                dataset,
                tag,
                lambda number, item: self.prune(item, context, _seen_from(keep, tag, number)),
            )
        return vr == "UI" and self._give_new_uids(dataset, tag, value, action)

    def _action(self, tag: BaseTag) -> Action | None:
        if tag.is_private:
            return Action.REMOVE if self._wanted.remove_private else None
        return self._wanted.profile.action(tag) if self._wanted.profile else None

    def _give_new_uids(
        self, dataset: Dataset, tag: BaseTag, value: bytes, action: Action | None
    ) -> bool:
        uids = self._wanted.uids
        old = value.decode("latin_1").rstrip("\0 ").split("\\")
        if action is Action.REPLACE_UID:
            new = [uids.anonymous(uid) for uid in old]
        else:
            new = [uids.known.get(uid, uid) for uid in old]
        if new == old:
            return False
        put_value(dataset, tag, "UI", "\\".join(new).encode("latin_1"))
        return True


def _creator_tag(tag: BaseTag) -> BaseTag:
    return BaseTag(tag.group << 16 | tag.element >> 8)


def _seen_from(keep: Set[TagPath], tag: BaseTag, number: int) -> set[TagPath]:
    """What is to be kept of an item: what is kept everywhere, and what is named in it."""
    everywhere = {path for path in keep if not path.parents}
    return everywhere | {path.inside for path in keep if _leads_into(path, tag, number)}


def _leads_into(path: TagPath, tag: BaseTag, number: int) -> bool:
    return bool(path.parents) and path.parents[0] in ((tag, number), (tag, EVERY))


def _remove(dataset: Dataset, path: TagPath) -> bool:
    if not path.parents:
        return dataset.pop(path.tag, None) is not None
    return _in_items(dataset, path, lambda item: _remove(item, path.inside))


def _in_items(dataset: Dataset, path: TagPath, edit: Callable[[Dataset], bool]) -> bool:
    """Do it in those items of the outermost sequence that the path leads into."""
    tag = path.parents[0][0]
    if tag not in dataset:
        return False

    def edit_if_meant(number: int, item: Dataset) -> bool:
        return _leads_into(path, tag, number) and edit(item)

    return edit_items(dataset, tag, edit_if_meant)


# --- what is set ---------------------------------------------------------------------------------


def _change_character_set(dataset: Dataset, wanted: "Value | None") -> None:
    """As asked for. A data set that declared none is taken at the word of who knows better now."""
    if not isinstance(wanted, str):
        return
    if not wanted.isascii():
        raise BadValue(SPECIFIC_CHARACTER_SET, wanted)
    if character_set_of(dataset) and has_foreign_text(dataset):
        recode(dataset, wanted)
    else:
        declare(dataset, wanted)


def _replace_all(dataset: Dataset, replacing: Mapping[TagPath, Value], creator: str) -> None:
    outer = character_set_of(dataset)
    for path, value in replacing.items():
        if path.tag.group != _FILE_META_GROUP:
            _replace(dataset, path, value, _Setter(creator, outer))


@dataclass(frozen=True, slots=True)
class _Setter:
    """Sets elements; creator: of private ones in blocks without; character_set: of the data set."""

    creator: str
    character_set: str

    def set(self, dataset: Dataset, tag: BaseTag, value: Value) -> None:
        """Raises BadValue, DoesNotFit."""
        if not isinstance(value, str):
            put_items(dataset, tag, [self._item(item) for item in value])
            return
        vr = self._vr(dataset, tag)
        character_set = character_set_of(dataset, self.character_set)
        try:
            put_value(dataset, tag, vr, value_bytes(value, vr, character_set))
        except ValueRefused:
            raise BadValue(tag, value) from None
        self._reserve_block(dataset, tag)

    def _item(self, content: Mapping[BaseTag, Value]) -> Dataset:
        item = Dataset()
        for tag, value in content.items():
            self.set(item, tag, value)
        return item

    def _vr(self, dataset: Dataset, tag: BaseTag) -> str:
        present: Any = dataset.get_item(tag) if tag in dataset else None
        if isinstance(present, RawDataElement):
            return vr_of(dataset, present, context_of(dataset, Context()))
        if present is not None:
            return str(present.VR)
        if tag.is_private_creator:
            return "LO"
        if not tag.is_private:
            signed = context_of(dataset, Context()).signed_pixels
            return dictionary_vr(int(tag), signed_pixels=signed)
        try:
            return private_dictionary_VR(tag, private_creator(dataset, tag) or self.creator)
        except KeyError:
            return "UN"

    def _reserve_block(self, dataset: Dataset, tag: BaseTag) -> None:
        if tag.is_private and not tag.is_private_creator and self.creator:
            creator = _creator_tag(tag)
            if creator not in dataset:
                self.set(dataset, creator, self.creator)


def _replace(dataset: Dataset, path: TagPath, value: Value, setter: _Setter) -> bool:
    if path.parents:
        return _in_items(dataset, path, lambda item: _replace(item, path.inside, value, setter))
    setter.set(dataset, path.tag, value)
    return True
