from scripting_support import FakeQueue, make_event

from gateway.scripting.inbox import BATCH, Inbox


def inbox_with(count: int) -> tuple[Inbox, FakeQueue]:
    queue = FakeQueue()
    queue.opened("a.lua")
    for number in range(count):
        queue.add(make_event(number))
    return Inbox("a.lua", queue), queue


def test_each_event_is_handed_out_once_while_it_is_in_hand():
    inbox, _ = inbox_with(3)

    taken = [inbox.take() for _ in range(4)]

    assert [event and event.event_id for event in taken] == [0, 1, 2, None]


def test_an_event_that_is_not_settled_is_handed_out_again_once_it_is_out_of_hand():
    inbox, _ = inbox_with(1)
    event = inbox.take()

    inbox.done(event)

    assert inbox.take() == event


def test_many_events_in_hand_do_not_hide_those_behind_them():
    inbox, _ = inbox_with(2 * BATCH + 1)

    taken = [inbox.take() for _ in range(2 * BATCH + 1)]

    assert [event.event_id for event in taken] == list(range(2 * BATCH + 1))


def test_what_was_fetched_ahead_and_forgotten_is_looked_up_again():
    inbox, _ = inbox_with(3)
    first = inbox.take()

    inbox.forget()

    assert inbox.take().event_id == first.event_id + 1
