"""The work of FORWARD tasks, over a link that does what a test wants."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count as count_from
from pathlib import Path

import pytest
from store_support import Instances

from gateway.config.models import Codecs as CodecSettings
from gateway.config.models import Destination
from gateway.dicom.syntaxes import EXPLICIT_LE, JPEG2000_LOSSLESS
from gateway.dimse.contexts import Need
from gateway.errors import (
    AssociationRejected,
    CodecFailed,
    FilterFailed,
    GatewayError,
    InstanceUnreadable,
    RemoteRefused,
    RemoteUnreachable,
    StorageFull,
)
from gateway.metrics import Metrics
from gateway.model import Action, NewTask, Step, TaskState, TranscodeReport
from gateway.ports import Unfiltered
from gateway.routing.forwarding import ForwardWorker
from gateway.routing.preparation import Preparation
from gateway.routing.retry import RetryPolicy
from gateway.store.modalities import Modality
from gateway.store.opened import Store
from gateway.work.transcoding import Transcoding

PATIENT_POLICY = RetryPolicy(3, 60, 2, 600, 0)
DOWN = RemoteUnreachable("nobody is there")


class FakeLink:
    """Takes everything, unless told otherwise. errors: of the nth call of store(), from 0 on."""

    def __init__(self) -> None:
        self.takes = frozenset({EXPLICIT_LE.uid})
        self.cannot_open: GatewayError | None = None
        self.errors: dict[int, Exception] = {}
        self.after: Callable[[Path], None] = lambda path: None
        self.opened: list[str] = []
        self.needs: set[Need] = set()
        self.sent: list[bytes] = []
        self.closed = 0
        self._calls = 0

    def open(self, calling_aet, needs) -> None:
        if self.cannot_open:
            raise self.cannot_open
        self.opened.append(calling_aet)
        self.needs = set(needs)

    def accepted(self, sop_class_uid: str) -> frozenset[str]:
        return self.takes

    def store(self, path: Path) -> None:
        self._calls += 1
        if error := self.errors.get(self._calls - 1):
            raise error
        self.sent.append(path.read_bytes())

    def close_if_idle(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


class FakeCodecs:
    error: Exception | None = None

    def transcode(self, source, target, ladder, options) -> TranscodeReport:
        if self.error:
            raise self.error
        target.write_bytes(b"transcoded")
        return TranscodeReport("", ladder[0], "", 1, 1, 0.0, "", True)


class FakeFilters(Unfiltered):
    """Says of the instances of these numbers that they are not to be sent, or fails."""

    def __init__(self) -> None:
        self.wants_sending = False
        self.unwanted: set[str] = set()
        self.error: FilterFailed | None = None

    def sending(self, tags, *, aet: str, host: str) -> bool:
        assert (aet, host) == ("PACS", "127.0.0.1")
        if self.error:
            raise self.error
        return tags["InstanceNumber"] not in self.unwanted


@pytest.fixture
def filters() -> FakeFilters:
    return FakeFilters()


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def codecs() -> FakeCodecs:
    return FakeCodecs()


@pytest.fixture
def worker(
    store: Store, link: FakeLink, codecs: FakeCodecs, filters: FakeFilters
) -> Iterator[ForwardWorker]:
    metrics = Metrics()
    with ThreadPoolExecutor(2) as pool:
        transcoding = Transcoding(store.files, codecs, CodecSettings().options(), metrics)
        to = Destination(aet="PACS", host="127.0.0.1", port=104)
        yield ForwardWorker(
            "pacs", link, store.tasks,
            Preparation(Modality(to), store.files, transcoding, pool, filters),
            PATIENT_POLICY, metrics,
        )  # fmt: skip


@pytest.fixture
def plan(store: Store, receive, made_ct) -> Callable[..., list[Path]]:
    """Keep so many images and plan to forward each; answers their files."""
    store.outbox.open_lane("a")
    numbers = count_from(1)

    def enter(count: int, **parameters: object) -> list[Path]:
        paths = []
        for _ in range(count):
            version = Instances(store.engine).current(receive(made_ct(next(numbers))))
            step = Step(1, Action.FORWARD, version.instance_id, None, "pacs", parameters, "a.lua:1")
            task = NewTask(step, version.instance_id, version.version_id, ())
            (event,) = store.outbox.pending("a", 9)
            store.outbox.settle("a", event.event_id, lambda find, task=task: [task])
            paths.append(store.files.path(version.storage_key))
        return paths

    return enter


def work(worker: ForwardWorker, *, stopping: bool = False) -> bool:
    return worker.work(lambda: stopping)


def states(store: Store) -> list[str]:
    return [row.state for row in store.board.rows([*TaskState])]


def attempts(store: Store) -> list[int]:
    return [row.attempts for row in store.board.rows([*TaskState])]


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "data" / "incoming").iterdir())


def test_all_that_waits_goes_over_one_association(store, worker, link, plan):
    paths = plan(5)
    assert work(worker)
    assert link.opened == [""]
    assert link.sent == [path.read_bytes() for path in paths]
    assert states(store) == ["done"] * 5
    assert not work(worker)


def test_a_script_may_choose_its_own_calling_ae_title(store, worker, link, plan):
    plan(1, calling_aet="SPECIAL")
    work(worker)
    assert link.opened == ["SPECIAL"]


def test_the_association_serves_the_destination_s_ladder_and_those_of_single_tasks(
    worker, link, plan
):
    plan(1)
    plan(1, ladder=[JPEG2000_LOSSLESS.uid, "*"])
    work(worker)
    assert {need.ladder for need in link.needs} == {("*",), (JPEG2000_LOSSLESS.uid, "*")}


def test_what_the_peer_does_not_take_as_stored_is_transcoded(store, worker, link, plan, tmp_path):
    plan(3)
    link.takes = frozenset({"1.2.840.10008.1.2"})
    work(worker)
    assert link.sent == [b"transcoded"] * 3
    assert states(store) == ["done"] * 3
    assert left_over(tmp_path) == []


def test_what_cannot_be_transcoded_is_parked_and_the_others_go(store, worker, link, codecs, plan):
    plan(2)
    codecs.error = CodecFailed("damaged")
    link.takes = frozenset({"1.2.840.10008.1.2"})
    work(worker)
    assert states(store) == ["parked"] * 2
    assert link.closed == 0


def test_a_syntax_that_nobody_can_produce_is_parked_at_once(store, worker, link, plan):
    plan(1)
    link.takes = frozenset({JPEG2000_LOSSLESS.uid})
    work(worker)
    (row,) = store.board.rows()
    assert (row.state, row.error_kind) == ("parked", "no-acceptable-syntax")


@pytest.mark.parametrize("error", [DOWN, AssociationRejected("too many")])
def test_a_destination_that_is_down_charges_nobody_and_is_left_alone(
    store, worker, link, plan, error
):
    plan(3)
    link.cannot_open = error
    work(worker)
    assert states(store) == ["waiting"] * 3
    assert attempts(store) == [0] * 3
    assert {row.error_kind for row in store.board.rows()} == {error.kind}
    link.cannot_open = None
    assert not work(worker)  # not before the breaker lets it
    assert link.opened == []


def test_a_refused_instance_is_tried_again_later_and_the_others_go(store, worker, link, plan):
    plan(3)
    link.errors = {1: RemoteRefused("PACS", 0xA700)}
    work(worker)
    assert states(store) == ["done", "waiting", "done"]
    assert attempts(store) == [0, 1, 0]
    assert not work(worker)  # not due yet


def test_an_instance_is_parked_after_its_last_attempt(store, worker, link, plan):
    plan(1)
    link.errors = dict.fromkeys(range(9), RemoteRefused("PACS", 0xC000))
    for _ in range(3):
        work(worker)
        if states(store) == ["waiting"]:
            store.committer.commit(
                lambda c: c.exec_driver_sql("update task set run_at = 0").rowcount
            )
    (row,) = store.board.rows()
    assert (row.state, row.attempts, row.error_kind) == ("parked", 3, "remote-refused")


def test_an_association_that_breaks_charges_the_one_under_way(store, worker, link, plan):
    """It may be the cause. Those behind it are not to blame."""
    plan(4)
    link.errors = {1: DOWN}
    work(worker)
    assert states(store) == ["done", "waiting", "waiting", "waiting"]
    assert attempts(store) == [0, 1, 0, 0]
    assert link.closed == 1


def test_a_file_that_cannot_be_read_is_parked_and_the_others_go(store, worker, link, plan):
    plan(3)
    link.errors = {0: InstanceUnreadable("no DICOM")}
    work(worker)
    assert states(store) == ["parked", "done", "done"]


def test_a_fault_of_ours_with_one_instance_does_not_keep_the_others(store, worker, link, plan):
    plan(4)
    link.errors = {1: ZeroDivisionError("secret of the patient")}
    while work(worker):
        pass
    assert states(store) == ["done", "parked", "done", "done"]
    assert store.board.rows()[0].error_kind == "internal"
    assert "secret" not in store.board.rows()[0].error


def test_a_file_that_goes_right_after_it_was_sent_does_no_harm(
    store, worker, link, plan, monkeypatch
):
    """Done, the next task deletes it, and housekeeping is quick."""
    plan(2)
    done = store.tasks.done

    def done_and_reclaimed(task):
        future = done(task)
        store.files.remove(task.version.storage_key)
        return future

    monkeypatch.setattr(type(store.tasks), "done", lambda self, task: done_and_reclaimed(task))
    work(worker)
    assert states(store) == ["done", "done"]


def test_tasks_whose_result_could_not_be_recorded_do_not_run_for_ever(
    store, worker, link, plan, monkeypatch
):
    """The gateway need not be started anew after a disk was full."""
    plan(3)

    def full(self, task):
        raise StorageFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(type(store.tasks), "done", full)
        with pytest.raises(StorageFull):
            work(worker)
    while work(worker):
        pass
    assert states(store) == ["done"] * 3


def test_stopping_gives_back_what_was_not_sent(store, worker, link, plan):
    plan(3)
    answers = iter([False, False, True, True, True])
    worker.work(lambda: next(answers))
    assert states(store) == ["done", "waiting", "waiting"]
    assert attempts(store) == [0, 0, 0]


def test_stopping_before_anything_opens_no_association(store, worker, link, plan):
    plan(2)
    work(worker, stopping=True)
    assert (states(store), link.opened) == (["waiting", "waiting"], [])


def test_closing_ends_the_association(worker, link):
    worker.close()
    assert link.closed == 1


def test_what_a_filter_does_not_want_is_not_sent_and_what_needs_it_is_not_done(
    store, worker, link, filters, plan, receive, made_ct
):
    filters.wants_sending, filters.unwanted = True, {"2"}
    plan(3)
    forwarded = store.board.rows()[1]
    version = Instances(store.engine).current(receive(made_ct(4)))
    steps = [
        Step(1, Action.FORWARD, version.instance_id, None, "pacs", {}, "a.lua:1"),
        Step(2, Action.DELETE, version.instance_id, None, "", {}, "a.lua:1"),
    ]
    tasks = [
        NewTask(steps[0], version.instance_id, version.version_id, ()),
        NewTask(steps[1], version.instance_id, version.version_id, (1,)),
    ]
    filters.unwanted.add("4")
    (event,) = store.outbox.pending("a", 9)
    store.outbox.settle("a", event.event_id, lambda find: tasks)

    assert work(worker)

    assert len(link.sent) == 2
    assert states(store) == ["done", "dropped", "done", "dropped", "dropped"]
    told = next(row for row in store.board.rows([*TaskState]) if row.task_id == forwarded.task_id)
    assert told.error_kind == "filtered-out"
    assert "PACS" in told.error


def test_when_a_filter_fails_the_instance_waits_and_the_others_go_on(
    store, worker, link, filters, plan
):
    plan(1)
    filters.wants_sending, filters.error = True, FilterFailed("boom")

    assert work(worker)

    assert link.sent == []
    assert states(store) == ["waiting"]
    assert attempts(store) == [1]
