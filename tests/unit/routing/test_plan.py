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
from gateway.routing.plan import plan_tasks

HERE, THERE = "instance-here", "instance-there"


def version(number: int, instance_id: str) -> Version:
    return Version(
        number, instance_id, "1.4", f"1.3.{number}", "1.2.840.10008.1.2.1", f"r{number}", 1,
        VersionState.CURRENT,
    )  # fmt: skip


EVENT = Event(
    1, EventKind.STORED_INSTANCE, HERE, version(10, HERE), Origin(OriginKind.DICOM), {}
)  # fmt: skip
CURRENT = {HERE: version(99, HERE), THERE: version(20, THERE)}


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


def plan(*steps: Step, destinations=("pacs", "research")):
    return plan_tasks(steps, EVENT, CURRENT.get, destinations)


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
        plan(forward(1), forward(2, to="moon"))


def test_no_destination_at_all_is_said_so():
    with pytest.raises(UnknownDestination, match="none is configured"):
        plan(forward(1), destinations=())


def test_an_unknown_instance_is_an_error_at_its_line():
    with pytest.raises(NotFound, match=r"^a\.lua:1: .*'nowhere'"):
        plan(delete(1, "nowhere"))


@st.composite
def plans(draw) -> list[Step]:
    steps: list[Step] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        earlier = draw(st.none() | st.integers(1, number - 1)) if number > 1 else None
        make = draw(st.sampled_from([transcode, forward, delete]))
        steps.append(make(number, draw(st.sampled_from([HERE, THERE])), earlier))
    return steps


@given(plans())
def test_every_task_can_become_free(steps):
    """Needs point to earlier steps only; who has no version needs the step that makes it."""
    tasks = plan(*steps)
    assert [task.step for task in tasks] == steps
    for task in tasks:
        assert all(number < task.step.number for number in task.needs)
        assert len(set(task.needs)) == len(task.needs)
        assert (task.version_id is None) <= (task.step.result_of in task.needs)
