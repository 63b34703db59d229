"""What an answer of /changes means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_support import public_id

from gateway.errors import AnswerNotUnderstood
from gateway.follow.changes import BEGINNING, Change, Page, asked_since, began_anew, ids_of, page_of
from gateway.model import Bookmark

NEW = Change(7, "NewInstance", public_id(1), "20260102T030405")


def entry(number: object = 7, resource_id: object = public_id(1)) -> dict[str, object]:
    return {"Seq": number, "ChangeType": "NewInstance", "ID": resource_id, "Date": NEW.date}


def answer(*changes: object, last: object = 7, **others: object) -> bytes:
    return json.dumps({"Changes": changes, "Last": last, "Done": True} | others).encode()


def test_a_page_is_read():
    assert page_of(answer(entry())) == Page((NEW,), 7, is_done=True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>It works!</html>",
        b"[]",
        b"null",
        b'{"Changes": []}',
        b"\xff\xfe",
        b"[" * 200_000,
        answer(last="many"),
        answer(last=10**30),
        answer(last=True),
        answer("a change"),
        answer(entry(number="7")),
        answer(entry(number=-7)),
        answer(entry(resource_id="../../tools/shutdown")),
        answer(entry(resource_id=7)),
        answer({"Seq": 7}),
    ],
)
def test_what_is_no_page_is_not_understood(garbage):
    with pytest.raises(AnswerNotUnderstood):
        page_of(garbage)


@given(st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(repr))
def test_whatever_is_answered_nothing_else_is_raised(garbage):
    try:
        page_of(garbage if isinstance(garbage, bytes) else garbage.encode())
    except AnswerNotUnderstood:
        return


def test_a_source_that_tells_what_was_not_asked_for_is_not_followed_in_circles():
    with pytest.raises(AnswerNotUnderstood):
        page_of(answer(entry(7)), since=7)
    with pytest.raises(AnswerNotUnderstood):
        page_of(answer(entry(9), entry(8)), since=7)


def test_an_id_of_an_instance_cannot_become_another_path():
    with pytest.raises(AnswerNotUnderstood):
        ids_of(b'{"Instances": ["../../../tools/reset"]}', "Instances")


def test_the_last_known_change_is_asked_for_again():
    assert asked_since(BEGINNING) == 0
    assert asked_since(Bookmark(7, "")) == 6


def test_a_log_with_the_known_change_is_the_same():
    assert not began_anew(Page((NEW,), 7, is_done=True), NEW.bookmark)


def test_a_log_whose_number_says_something_else_began_anew():
    other = Change(7, "NewInstance", public_id(1), "20270102T030405")
    assert began_anew(Page((other,), 7, is_done=True), NEW.bookmark)


def test_a_log_that_has_not_given_the_number_yet_began_anew():
    assert began_anew(Page((), 6, is_done=True), NEW.bookmark)


def test_a_log_that_forgot_what_was_deleted_is_the_same():
    later = Change(9, "NewInstance", public_id(2), NEW.date)
    assert not began_anew(Page((), 7, is_done=True), NEW.bookmark)
    assert not began_anew(Page((later,), 9, is_done=True), NEW.bookmark)


def test_an_empty_log_that_was_never_followed_is_no_surprise():
    assert not began_anew(Page((), 0, is_done=True), BEGINNING)
