"""What `/changes` says, and what follows from it: pure decisions."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateway.errors import AnswerNotUnderstood
from gateway.model import Bookmark

BEGINNING = Bookmark(0, "")
# It becomes a part of URLs, also of those that something is deleted with.
_PUBLIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log of changes. kind: such as NewInstance; date: as the source writes it."""

    number: int
    kind: str
    resource_id: str
    date: str

    @property
    def bookmark(self) -> Bookmark:
        """Everything up to this change, itself included."""
        return Bookmark(self.number, f"{self.date} {self.kind} {self.resource_id}")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the log, oldest first. last: the number of the newest change of the page.

    Of a page without changes it is the highest number that was ever given. is_done: nothing
    follows.
    """

    changes: tuple[Change, ...]
    last: int
    is_done: bool

    def behind(self, bookmark: Bookmark) -> tuple[Change, ...]:
        """The changes that were not followed yet."""
        return tuple(change for change in self.changes if change.number > bookmark.number)

    @property
    def bookmark(self) -> Bookmark:
        """Everything up to the end of this page."""
        return self.changes[-1].bookmark if self.changes else Bookmark(self.last, "")


def asked_since(bookmark: Bookmark) -> int:
    """What to ask for: also for the last change that is known, to see that it is the same log."""
    return max(0, bookmark.number - 1)


def began_anew(page: Page, bookmark: Bookmark) -> bool:
    """Whether the log, asked as asked_since() says, is another one than the one we followed.

    That the last known change is missing proves nothing: a server forgets the changes of what is
    deleted, but never gives a number twice. A server that lost its database does.
    """
    for change in page.changes:
        if change.number == bookmark.number:
            return bool(bookmark.entry) and change.bookmark != bookmark
    return not page.changes and page.last < bookmark.number


def page_of(answer: bytes, since: int = 0) -> Page:
    """Read an answer of `/changes`. Raises AnswerNotUnderstood.

    since: what it was asked for; a server that pays no heed to it would be followed in circles.
    """
    try:
        content = _content(answer)
        changes = tuple(_change(entry) for entry in content["Changes"])
        page = Page(changes, _number(content["Last"]), bool(content["Done"]))
    except (ValueError, TypeError, LookupError) as exc:
        raise AnswerNotUnderstood("its /changes are not what an Orthanc tells") from exc
    numbers = [since, *(change.number for change in changes)]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise AnswerNotUnderstood(f"its /changes since {since} are not in order")
    return page


def ids_of(answer: bytes, name: str) -> Sequence[str]:
    """The ids that an object lists under a name. Raises AnswerNotUnderstood."""
    try:
        return [_public_id(each) for each in _content(answer)[name]]
    except (ValueError, TypeError, LookupError) as exc:
        raise AnswerNotUnderstood(f"it does not list {name}") from exc


def texts_of(answer: bytes) -> dict[str, str]:
    """An object whose values are texts; others are left out. Raises AnswerNotUnderstood."""
    try:
        content = _content(answer)
    except ValueError as exc:
        raise AnswerNotUnderstood("it does not answer JSON") from exc
    if not isinstance(content, dict):
        raise AnswerNotUnderstood("it does not answer an object")
    return {name: text for name, text in content.items() if isinstance(text, str)}


def _content(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _change(entry: Mapping[str, Any]) -> Change:
    return Change(
        _number(entry["Seq"]), str(entry["ChangeType"]), _public_id(entry["ID"]), str(entry["Date"])
    )


def _public_id(text: str) -> str:
    if not _PUBLIC_ID.fullmatch(text):
        raise ValueError("no public identifier")
    return text


def _number(value: object) -> int:
    # JSON's numbers have no end, those of the index do.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError("no number of a change")
    return value
