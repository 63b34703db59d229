"""Forwarding to real storage SCPs: what arrives, what waits, and who is kept from whom."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import pytest
from dimse_support import CT, EXPLICIT, IMPLICIT, J2K, JPEG_BASELINE, storage_scp
from imagecodecs import jpeg8_decode
from ports import free_port
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pynetdicom import AE, evt
from serving import serving
from store_support import Instances
from waiting import wait_until

from gateway.codecs.processes import CodecPool
from gateway.config.models import Codecs as CodecSettings
from gateway.config.models import Destination
from gateway.dicom import part10
from gateway.metrics import Metrics
from gateway.model import Action, NewTask, Step, TaskRow, TaskState
from gateway.routing import loop as loop_module
from gateway.routing.forwarding import ForwardWorker
from gateway.routing.link import Link
from gateway.routing.loop import Loop
from gateway.routing.preparation import Preparation
from gateway.routing.retry import RetryPolicy
from gateway.routing.signal import Signal
from gateway.store.modalities import Modality
from gateway.store.opened import Store
from gateway.work.transcoding import Transcoding

QUICK = RetryPolicy(attempts=3, first_delay_s=0.1, factor=1, maximum_delay_s=0.1, jitter=0)
ANSWER_S = 20.0


@pytest.fixture(scope="module")
def codecs() -> Iterator[CodecPool]:
    pool = CodecPool(processes=1, memory_mb=1024, timeout_s=60)
    yield pool
    pool.close()


@pytest.fixture
def forwarding(
    store: Store, codecs: CodecPool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Begin to forward: `forwarding(name, port, **settings of the destination)`."""
    monkeypatch.setattr(loop_module, "POLL_S", 0.05)
    work, metrics = Signal(), Metrics()
    transcoding = Transcoding(store.files, codecs, CodecSettings().options(), metrics)
    with ExitStack() as running:
        pool = running.enter_context(ThreadPoolExecutor(1))

        def start(name: str, port: int, policy: RetryPolicy = QUICK, **settings: Any) -> None:
            values = {"aet": "ARCHIVE", "host": "127.0.0.1", "port": port, "linger_s": 0.1}
            to = Destination.model_validate(values | settings)
            worker = ForwardWorker(
                name, Link(to, "GATEWAY"), store.tasks,
                Preparation(Modality(to), store.files, transcoding, pool), policy, metrics,
            )  # fmt: skip
            loop = Loop(f"forward-{name}", worker, work, metrics)
            loop.start()
            running.callback(lambda: loop.stop() or loop.join(ANSWER_S))

        yield start


@pytest.fixture
def plan(store: Store, receive, made_ct) -> Callable[..., list[str]]:
    """Keep so many images and plan to forward each; answers their SOP Instance UIDs in order.

    parameters: of the forwarding; other keywords are attributes of the image.
    """
    store.outbox.open_lane("a")
    numbers = iter(range(1, 10_000))

    def enter(
        count: int, *names: str, parameters: dict[str, object] | None = None, **made: object
    ) -> list[str]:
        uids = []
        for _ in range(count):
            version = Instances(store.engine).current(receive(made_ct(next(numbers), **made)))
            tasks = [
                NewTask(
                    Step(
                        place, Action.FORWARD, version.instance_id, destination=name,
                        parameters=parameters or {},
                    ),
                    version.instance_id, version.version_id, (),
                )
                for place, name in enumerate(names, 1)
            ]  # fmt: skip
            (event,) = store.outbox.pending("a", 9)
            store.outbox.settle("a", event.event_id, lambda find, tasks=tasks: tasks)
            uids.append(version.sop_instance_uid)
        return uids

    return enter


def rows(store: Store, name: str) -> list[TaskRow]:
    return [row for row in store.board.rows([*TaskState]) if row.destination == name]


def states(store: Store, name: str) -> list[str]:
    return [row.state for row in rows(store, name)]


def until(store: Store, name: str, expected: str) -> None:
    """Wait until all tasks for the destination have come to that state."""
    wait_until(lambda: set(states(store, name)) == {expected}, ANSWER_S)


def test_what_arrives_is_what_was_received(store, forwarding, plan, data_set_bytes):
    plan(20, "archive")
    with storage_scp() as (port, received):
        forwarding("archive", port)
        until(store, "archive", "done")
        files = [dcmread(store.files.path(key)) for key in sorted(store.files.keys())]
        assert sorted(data for _context, data in received) == sorted(map(data_set_bytes, files))


def test_an_association_is_used_again_for_what_comes_later(store, forwarding, plan):
    opened = []
    entity = AE("ARCHIVE")
    entity.add_supported_context(CT, [EXPLICIT, IMPLICIT])
    handlers = [(evt.EVT_ACCEPTED, opened.append), (evt.EVT_C_STORE, lambda event: 0x0000)]
    with serving(entity, handlers) as port:
        forwarding("archive", port, linger_s=30)
        for _ in range(3):
            plan(4, "archive")
            until(store, "archive", "done")
        assert len(opened) == 1


def test_a_destination_that_is_down_keeps_its_instances_and_nobody_else_s(store, forwarding, plan):
    plan(5, "down", "up")
    with storage_scp() as (port, received):
        forwarding("down", free_port())
        forwarding("up", port)
        until(store, "up", "done")
        assert len(received) == 5
        wait_until(lambda: rows(store, "down")[0].error_kind == "remote-unreachable")
        assert {row.attempts for row in rows(store, "down")} == {0}


def test_what_waited_is_delivered_when_the_destination_is_up_again(store, forwarding, plan):
    plan(5, "archive")
    port = free_port()
    forwarding("archive", port)
    wait_until(lambda: rows(store, "archive")[0].error_kind == "remote-unreachable")
    stored = []
    entity = AE("ARCHIVE")
    entity.add_supported_context(CT, [EXPLICIT])
    handlers = [(evt.EVT_C_STORE, lambda event: stored.append(event) or 0x0000)]
    with serving(entity, handlers, port=port):
        until(store, "archive", "done")
        assert len(stored) == 5
        assert {row.attempts for row in rows(store, "archive")} == {0}


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000])
def test_a_refused_instance_is_tried_again_and_parked_while_the_others_go(
    store, forwarding, plan, status
):
    uids = plan(6, "archive")
    refused = uids[2]

    def answer(event: Any) -> int:
        return status if event.request.AffectedSOPInstanceUID == refused else 0x0000

    with storage_scp(status=answer) as (port, received):
        forwarding("archive", port)
        wait_until(lambda: "parked" in states(store, "archive"), ANSWER_S)
        wait_until(lambda: states(store, "archive").count("done") == 5, ANSWER_S)
    (parked,) = [row for row in rows(store, "archive") if row.state == "parked"]
    assert parked.attempts == 3
    assert f"0x{status:04X}" in parked.error
    assert len(received) == 5 + 3


def test_a_refusal_that_passes_costs_an_attempt_only(store, forwarding, plan):
    plan(1, "archive")
    answers = iter([0xA700, 0x0000])
    with storage_scp(status=lambda event: next(answers)) as (port, _received):
        forwarding("archive", port)
        until(store, "archive", "done")
    assert rows(store, "archive")[0].attempts == 1


def test_a_destination_that_knows_implicit_vr_only_gets_implicit_vr(
    store, forwarding, plan, data_set_bytes
):
    plan(3, "archive")
    with storage_scp(contexts=[(CT, [IMPLICIT])]) as (port, received):
        forwarding("archive", port)
        until(store, "archive", "done")
        assert {context.transfer_syntax for context, _data in received} == {IMPLICIT}
        files = [dcmread(store.files.path(key)) for key in sorted(store.files.keys())]
        expected = [data_set_bytes(file, IMPLICIT) for file in files]
        assert sorted(data for _context, data in received) == sorted(expected)


def decoded(context: Any, data: bytes) -> Dataset:
    """A data set that has arrived."""
    header = part10.header(CT, "1.2.3", context.transfer_syntax)
    return dcmread(BytesIO(header + data))


EIGHT_BITS = {
    "rows": 64, "columns": 64, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
    "PixelData": bytes(x * y // 16 % 256 for x in range(64) for y in range(64)),
}  # fmt: skip


def test_what_the_best_syntax_cannot_hold_goes_in_the_next_one(store, forwarding, plan):
    """JPEG Baseline has 8 bits; these images have 12."""
    plan(2, "archive", rows=64, columns=64)
    with storage_scp(contexts=[(CT, [JPEG_BASELINE, J2K, EXPLICIT])]) as (port, got):
        forwarding("archive", port, syntaxes=["jpeg", "j2k", "explicit"])
        until(store, "archive", "done")
    assert [context.transfer_syntax for context, _data in got] == [J2K, J2K]
    originals = [dcmread(store.files.path(key)) for key in sorted(store.files.keys())]
    for original, (context, data) in zip(originals, got, strict=True):
        arrived = decoded(context, data)
        assert arrived.SOPInstanceUID == original.SOPInstanceUID
        assert (arrived.pixel_array == original.pixel_array).all()


def test_what_allows_nothing_better_arrives_as_it_was_received(
    store, forwarding, plan, data_set_bytes
):
    plan(1, "archive", rows=64, columns=64)
    with storage_scp(contexts=[(CT, [JPEG_BASELINE, EXPLICIT])]) as (port, got):
        forwarding("archive", port, syntaxes=["jpeg", "*"])
        until(store, "archive", "done")
    (key,) = store.files.keys()
    assert [data for _context, data in got] == [data_set_bytes(dcmread(store.files.path(key)))]


def test_a_lossy_copy_arrives_as_another_instance_and_the_same_one_when_tried_again(
    store, forwarding, plan
):
    (uid,) = plan(1, "archive", **EIGHT_BITS)
    answers = iter([0xA700, 0x0000])
    announced = []

    def answer(event: Any) -> int:
        announced.append(event.request.AffectedSOPInstanceUID)
        return next(answers)

    with storage_scp(contexts=[(CT, [JPEG_BASELINE])], status=answer) as (port, got):
        forwarding("archive", port, syntaxes=["jpeg"], transcode={"quality": 80})
        until(store, "archive", "done")
    first, second = [decoded(*arrived) for arrived in got]
    assert announced == [first.SOPInstanceUID, second.SOPInstanceUID]
    assert first.SOPInstanceUID == second.SOPInstanceUID != uid
    assert got[0][1] == got[1][1]
    assert first.LossyImageCompression == "01"
    (key,) = store.files.keys()  # the original, and nothing else
    original = dcmread(store.files.path(key))
    assert original.SOPInstanceUID == uid
    (frame,) = generate_frames(first.PixelData, number_of_frames=1)
    error = original.pixel_array.astype(int) - jpeg8_decode(frame)
    assert 0 < abs(error).max() < 40


def test_a_script_s_ladder_goes_over_the_same_association(store, forwarding, plan):
    opened = []
    plan(1, "archive", rows=64, columns=64)
    plan(1, "archive", rows=64, columns=64, parameters={"ladder": [J2K]})
    received = []
    entity = AE("ARCHIVE")
    entity.add_supported_context(CT, [EXPLICIT, J2K])
    handlers = [
        (evt.EVT_ACCEPTED, opened.append),
        (evt.EVT_C_STORE, lambda event: received.append(event.context) or 0x0000),
    ]
    with serving(entity, handlers) as port:
        forwarding("archive", port)
        until(store, "archive", "done")
    assert len(opened) == 1
    assert [context.transfer_syntax for context in received] == [EXPLICIT, J2K]


def test_what_has_no_pixels_to_compress_and_cannot_go_as_it_is_parks_and_says_so(
    store, forwarding, plan
):
    plan(1, "archive", PixelData=None)
    with storage_scp(contexts=[(CT, [J2K])]) as (port, got):
        forwarding("archive", port, syntaxes=["j2k"])
        until(store, "archive", "parked")
    assert got == []
    (row,) = rows(store, "archive")
    assert row.error_kind == "no-acceptable-syntax"
    assert "stays in ExplicitVRLittleEndian" in row.error


def test_what_has_no_pixels_goes_in_the_native_rung(store, forwarding, plan):
    plan(1, "archive", PixelData=None)
    with storage_scp(contexts=[(CT, [J2K, IMPLICIT])]) as (port, got):
        forwarding("archive", port, syntaxes=["j2k", "implicit"])
        until(store, "archive", "done")
    assert [context.transfer_syntax for context, _data in got] == [IMPLICIT]


def test_what_was_made_for_a_destination_is_not_kept(store, forwarding, plan, tmp_path):
    plan(3, "archive")
    with storage_scp(contexts=[(CT, [IMPLICIT])]) as (port, _received):
        forwarding("archive", port)
        until(store, "archive", "done")
    wait_until(lambda: not list((tmp_path / "data" / "incoming").iterdir()))
    assert len(list(store.files.keys())) == 3


def test_a_destination_that_dies_during_a_transfer_gets_it_again(store, forwarding, plan):
    plan(6, "archive")
    stored: list[str] = []
    deaths = iter([True])

    def answer(event: Any) -> int:
        if len(stored) == 2 and next(deaths, False):
            event.assoc.abort()
        stored.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    with storage_scp(status=answer) as (port, _received):
        forwarding("archive", port)
        until(store, "archive", "done")
    assert len(set(stored)) == 6
    assert sorted(row.attempts for row in rows(store, "archive")) == [0, 0, 0, 0, 0, 1]


def test_a_destination_that_does_not_know_the_class_parks_and_says_why(store, forwarding, plan):
    plan(1, "archive")
    with storage_scp(contexts=[("1.2.840.10008.5.1.4.1.1.4", [EXPLICIT])]) as (port, _received):
        forwarding("archive", port)
        until(store, "archive", "parked")
    (row,) = rows(store, "archive")
    assert (row.error_kind, row.error) == (
        "no-acceptable-syntax", "ARCHIVE accepted no presentation context",
    )  # fmt: skip


def test_an_instance_of_a_class_that_is_not_taken_does_not_keep_the_others(store, forwarding, plan):
    plan(2, "archive")
    plan(1, "archive", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    with storage_scp() as (port, received):
        forwarding("archive", port)
        wait_until(lambda: states(store, "archive") == ["done", "done", "parked"], ANSWER_S)
        assert len(received) == 2
    assert rows(store, "archive")[2].error_kind == "no-acceptable-syntax"


def test_a_missing_file_is_parked_and_the_others_go(store, forwarding, plan):
    plan(3, "archive")
    version = Instances(store.engine).version(2)
    store.files.remove(version.storage_key)
    with storage_scp() as (port, received):
        forwarding("archive", port)
        wait_until(lambda: states(store, "archive") == ["done", "parked", "done"], ANSWER_S)
        assert len(received) == 2
    assert rows(store, "archive")[1].error_kind == "instance-unreadable"


def test_several_associations_share_the_work_and_send_nothing_twice(store, forwarding, plan):
    plan(60, "archive")
    with storage_scp() as (port, received):
        for _ in range(3):
            forwarding("archive", port)
        until(store, "archive", "done")
        assert len(received) == 60
