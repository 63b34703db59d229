"""From steps to tasks: which version, what first, and what is wrong with a script's wish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotFound, UnknownDestination
from gateway.model import (
    Action,
    Event,
    EventKind,
    Origin,
    OriginKind,
    Step,
    Version,
    VersionState,
)
from gateway.routing.plan import check_remotes, plan_tasks

HERE, THERE = "instance-here", "instance-there"


def version(number: int, instance_id: str) -> Version:
    return Version(
        number, instance_id, "1.4", f"1.3.{number}", "1.2.840.10008.1.2.1", f"r{number}", 1,
        VersionState.CURRENT,
    )  # fmt: skip


EVENT = Event(
    1, EventKind.STORED_INSTANCE, HERE, version(10, HERE), Origin(OriginKind.DICOM), {}
)  # fmt: skip
CURRENT = {HERE: [version(99, HERE)], THERE: [version(20, THERE)]}
CURRENT["study"] = [version(31, "first"), version(32, "second")]
KNOWN = {Action.FORWARD: ("pacs", "research"), Action.SEND_TO_PEER: ("cloud",)}


def transcode(number: int, subject: str = HERE, result_of: int | None = None) -> Step:
    return Step(number, Action.TRANSCODE, "" if result_of else subject, result_of)


def forward(
    number: int, subject: str = HERE, result_of: int | None = None, to: str = "pacs"
) -> Step:
    return Step(
        number, Action.FORWARD, "" if result_of else subject, result_of, to, {}, f"a.lua:{number}"
    )


def delete(number: int, subject: str = HERE, result_of: int | None = None) -> Step:
    return Step(
        number, Action.DELETE, "" if result_of else subject, result_of, line=f"a.lua:{number}"
    )


def modify(number: int, subject: str = HERE, result_of: int | None = None) -> Step:
    return Step(number, Action.MODIFY, "" if result_of else subject, result_of)


def call(number: int, subject: str = HERE, result_of: int | None = None) -> Step:
    return Step(number, Action.CALL, "" if result_of else subject, result_of)


def plan(*steps: Step):
    return plan_tasks(steps, EVENT, lambda resource_id: CURRENT.get(resource_id, []))


def needs(*steps: Step) -> list[tuple[int, ...]]:
    return [task.needs for task in plan(*steps)]


def test_no_steps_are_no_tasks():
    assert plan() == []


def test_the_event_s_own_instance_is_the_version_that_it_is_about():
    """Not what is current now: it may have been overwritten since."""
    (task,) = plan(forward(1))
    assert (task.version_id, task.instance_id, task.needs) == (10, HERE, ())


def test_another_instance_is_its_current_version():
    (task,) = plan(forward(1, THERE))
    assert (task.version_id, task.instance_id) == (20, THERE)


def test_a_result_has_no_version_yet_and_needs_what_makes_it():
    made, sent = plan(transcode(1), forward(2, result_of=1))
    assert (made.version_id, made.needs) == (10, ())
    assert (sent.version_id, sent.instance_id, sent.needs) == (None, HERE, (1,))


def test_results_chain():
    *_first, last = plan(transcode(1), transcode(2, result_of=1), forward(3, result_of=2))
    assert (last.version_id, last.instance_id, last.needs) == (None, HERE, (2,))


def test_two_destinations_do_not_wait_for_each_other():
    assert needs(forward(1, to="pacs"), forward(2, to="research")) == [(), ()]


def test_a_deletion_waits_for_every_earlier_step_on_its_instance():
    assert needs(transcode(1), forward(2, result_of=1), forward(3), delete(4)) == [
        (), (1,), (), (1, 2, 3),
    ]  # fmt: skip


def test_a_deletion_does_not_wait_for_other_instances():
    assert needs(forward(1, THERE), forward(2), delete(3)) == [(), (), (2,)]


def test_steps_after_a_deletion_do_not_wait_for_it():
    assert needs(delete(1), forward(2)) == [(), ()]


def test_deleting_a_result_means_deleting_its_instance():
    _made, gone = plan(transcode(1), delete(2, result_of=1))
    assert (gone.version_id, gone.needs) == (10, (1,))


def test_an_unknown_destination_is_an_error_at_its_line_that_names_the_known_ones():
    with pytest.raises(UnknownDestination, match=r"^a\.lua:2: .*'moon'.*pacs, research"):
        check_remotes([forward(1), forward(2, to="moon")], KNOWN)


def test_modalities_are_no_peers():
    step = Step(1, Action.SEND_TO_PEER, HERE, None, "pacs", {}, "a.lua:1")
    with pytest.raises(UnknownDestination, match=r"^a\.lua:1: .*'pacs'.*cloud"):
        check_remotes([step], KNOWN)


def test_no_destination_at_all_is_said_so():
    with pytest.raises(UnknownDestination, match="none is configured"):
        check_remotes([forward(1)], {Action.FORWARD: ()})


# --- commands wait for what was asked for before -------------------------------------------------


def test_a_command_waits_for_every_earlier_step_on_its_instance():
    assert needs(forward(1), transcode(2), call(3), call(4, THERE)) == [(), (), (1, 2), ()]


def test_nothing_but_a_deletion_waits_for_a_command():
    assert needs(call(1), forward(2), delete(3)) == [(), (), (1, 2)]


# --- modified instances are instances of their own -----------------------------------------------


def test_deleting_what_was_modified_means_the_new_instance():
    made, sent, gone = plan(modify(1), forward(2, result_of=1), delete(3, result_of=1))
    assert (made.version_id, made.needs) == (10, ())
    assert (sent.version_id, sent.needs) == (None, (1,))
    assert (gone.version_id, gone.step.result_of, gone.needs) == (None, 1, (1, 2))


def test_deleting_the_transcoded_file_of_a_modified_instance_means_the_modified_instance():
    *_others, gone = plan(
        modify(1), transcode(2, result_of=1), forward(3, result_of=2), delete(4, result_of=2)
    )
    assert (gone.version_id, gone.step.result_of, gone.needs) == (None, 1, (1, 2, 3))


def test_deleting_the_original_waits_for_what_is_done_with_its_modified_copies():
    *_others, gone = plan(modify(1), forward(2, result_of=1), delete(3))
    assert (gone.version_id, gone.needs) == (10, (1, 2))


def test_deleting_a_modified_instance_does_not_wait_for_its_original():
    *_others, gone = plan(forward(1), modify(2), delete(3, result_of=2))
    assert gone.needs == (2,)


# --- studies -------------------------------------------------------------------------------------


def test_a_step_on_a_study_is_a_task_for_each_of_its_instances():
    first, second = plan(forward(1, "study"))
    assert (first.instance_id, first.version_id, first.step.number) == ("first", 31, 1)
    assert (second.instance_id, second.version_id, second.step.number) == ("second", 32, 2)
    assert (first.step.subject, second.step.subject) == ("first", "second")


def test_each_instance_of_a_study_is_deleted_when_it_itself_was_sent():
    tasks = plan(forward(1, "study"), delete(2, "study"))
    assert [task.needs for task in tasks] == [(), (), (1,), (2,)]


def test_chains_of_a_study_go_on_for_each_instance():
    tasks = plan(modify(1, "study"), forward(2, result_of=1), delete(3, result_of=1))
    assert [(task.step.result_of, task.needs) for task in tasks] == [
        (None, ()), (None, ()), (1, (1,)), (2, (2,)), (1, (1, 3)), (2, (2, 4)),
    ]  # fmt: skip


def test_an_unknown_instance_is_an_error_at_its_line():
    with pytest.raises(NotFound, match=r"^a\.lua:1: .*'nowhere'"):
        plan(delete(1, "nowhere"))


@st.composite
def plans(draw) -> list[Step]:
    steps: list[Step] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        earlier = draw(st.none() | st.integers(1, number - 1)) if number > 1 else None
        make = draw(st.sampled_from([transcode, modify, forward, call, delete]))
        steps.append(make(number, draw(st.sampled_from([HERE, THERE, "study"])), earlier))
    return steps


@given(plans())
def test_every_task_can_become_free(steps):
    """Needs point to earlier steps only; who has no version needs the step that makes it."""
    tasks = plan(*steps)
    assert [task.step.number for task in tasks] == list(range(1, len(tasks) + 1))
    for task in tasks:
        assert all(number < task.step.number for number in task.needs)
        assert len(set(task.needs)) == len(task.needs)
        assert (task.version_id is None) <= (task.step.result_of in task.needs)
        assert (task.step.result_of is None) <= (task.version_id is not None)
