"""The work of TRANSCODE tasks, with codecs that do what a test wants."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from store_support import Instances
from structlog.testing import capture_logs

from gateway.config.models import Codecs as CodecSettings
from gateway.dicom.syntaxes import EXPLICIT_LE, JPEG2000_LOSSLESS
from gateway.errors import CodecFailed, StorageFull, TranscodeError
from gateway.metrics import Metrics
from gateway.model import (
    Action,
    NewTask,
    Step,
    TaskState,
    TranscodeOptions,
    TranscodeReport,
    Version,
    VersionState,
)
from gateway.routing.transcoding import TranscodeWorker
from gateway.store.opened import Store
from gateway.work.transcoding import Transcoding

J2K = JPEG2000_LOSSLESS.uid
HTJ2K, JPEG = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.50"


class FakeCodecs:
    """Writes `made`, or fails after half of it."""

    def __init__(
        self, error: BaseException | None = None, *, changed: bool = True, **told: object
    ) -> None:
        """told: fields of the report."""
        self.error = error
        self.changed = changed
        self.told = told
        self.asked: list[tuple[Path, Sequence[str], TranscodeOptions]] = []

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        self.asked.append((source, ladder, options))
        target.write_bytes(b"ma")
        if self.error:
            raise self.error
        target.write_bytes(b"made")
        syntax = ladder[0] if self.changed else EXPLICIT_LE.uid
        uid = "1.2.826.0.1.3680043.10.1.1"
        report = TranscodeReport(EXPLICIT_LE.uid, syntax, uid, 100, 4, 0.5, "", self.changed)
        return replace(report, **self.told)


@pytest.fixture
def plan(store: Store, version: Version) -> Callable[..., None]:
    """Plan a transcoding with these parameters, and a forward of its result."""

    def enter(**parameters: object) -> None:
        transcode = Step(1, Action.TRANSCODE, version.instance_id,
                         parameters={"ladder": [J2K]} | parameters, line="a.lua:1")  # fmt: skip
        forward = Step(2, Action.FORWARD, result_of=1, destination="pacs", line="a.lua:2")
        tasks = [
            NewTask(transcode, version.instance_id, version.version_id, ()),
            NewTask(forward, version.instance_id, None, (1,)),
        ]
        store.outbox.settle("a", 1, lambda find: tasks)

    return enter


def worker(store: Store, codecs: FakeCodecs, metrics: Metrics | None = None) -> TranscodeWorker:
    metrics = metrics or Metrics()
    transcoding = Transcoding(store.files, codecs, CodecSettings().options(), metrics)
    return TranscodeWorker(store.tasks, store.files, transcoding, metrics)


def work(store: Store, codecs: FakeCodecs, *, stopping: bool = False) -> bool:
    return worker(store, codecs).work(lambda: stopping)


def states(store: Store) -> list[str]:
    return [row.state for row in store.board.rows([*TaskState])]


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "data" / "incoming").iterdir())


def test_without_tasks_there_is_nothing_to_do(store):
    assert not work(store, FakeCodecs())


def test_the_result_is_what_the_next_task_gets(store, version, plan):
    plan()
    codecs = FakeCodecs()
    assert work(store, codecs)
    (source, ladder, _options) = codecs.asked[0]
    assert (source, ladder) == (store.files.path(version.storage_key), [J2K])
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert store.files.path(task.version.storage_key).read_bytes() == b"made"
    assert (task.version.transfer_syntax_uid, task.version.size_bytes) == (J2K, 4)
    assert task.version.state is VersionState.DERIVED


def test_by_default_the_stored_instance_stays_as_it_is(store, version, plan):
    plan()
    work(store, FakeCodecs())
    assert Instances(store.engine).current(version.instance_id) == version


def test_a_replacement_takes_its_place(store, version, plan):
    plan(replace=True)
    work(store, FakeCodecs())
    current = Instances(store.engine).current(version.instance_id)
    assert current.transfer_syntax_uid == J2K


def test_an_image_in_that_syntax_already_goes_on_as_it_is(store, version, plan, tmp_path):
    plan()
    work(store, FakeCodecs(changed=False))
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert task.version == version
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [({}, TranscodeOptions(quality=70, ratio=8.0)),
     ({"options": {"verify": False, "quality": 80}},
      TranscodeOptions(verify=False, quality=80, ratio=8.0))],
)  # fmt: skip
def test_each_option_is_the_script_s_or_else_the_site_s(store, plan, asked, expected):
    plan(**asked)
    codecs = FakeCodecs()
    transcoding = Transcoding(
        store.files, codecs, CodecSettings(quality=70, ratio=8.0).options(), Metrics()
    )
    TranscodeWorker(store.tasks, store.files, transcoding, Metrics()).work(lambda: False)
    assert codecs.asked[0][2] == expected


def test_a_ladder_is_handed_on_and_what_was_made_of_it_is_entered(store, plan):
    plan(ladder=[HTJ2K, J2K])
    codecs = FakeCodecs(target_syntax_uid=J2K, refusals=("HTJ2KLossless: 32 bits",))
    with capture_logs() as logs:
        work(store, codecs)
    assert codecs.asked[0][1] == [HTJ2K, J2K]
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert task.version.transfer_syntax_uid == J2K
    (line,) = [line for line in logs if line["event"] == "instance transcoded"]
    assert line["refused"] == ["HTJ2KLossless: 32 bits"]
    assert line["syntax_after"] == "JPEG2000Lossless"


LOSSY = {"lossy": True, "sop_instance_uid": "2.25.1", "psnr_db": 43.219, "max_error": 0}


def test_what_a_lossy_result_lost_is_told_and_counted(store, plan):
    plan(ladder=[JPEG])
    metrics = Metrics()
    with capture_logs() as logs:
        worker(store, FakeCodecs(**LOSSY), metrics).work(lambda: False)
    (line,) = [line for line in logs if line["event"] == "instance transcoded"]
    assert (line["lossy"], line["psnr_db"], line["max_error"]) == (True, 43.22, 0)
    assert line["sop_instance_uid"] == "2.25.1"
    labels = {"syntax": "JPEGBaseline8Bit"}
    assert metrics.registry.get_sample_value("gateway_lossy_results_total", labels) == 1


def test_a_lossy_result_is_for_those_who_wait_for_it(store, version, plan):
    plan(ladder=[JPEG])
    work(store, FakeCodecs(**LOSSY))
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert task.version.state is VersionState.DERIVED
    assert Instances(store.engine).current(version.instance_id) == version


def test_a_result_with_another_uid_never_takes_the_place_of_the_original(
    store, version, plan, tmp_path
):
    """Scripts are told at their line; but what is planned may meet another configuration."""
    plan(ladder=[JPEG], replace=True)
    work(store, FakeCodecs(**LOSSY))
    parked, blocked = store.board.rows()
    assert (parked.state, blocked.state) == ("parked", "blocked")
    assert "only with keep_uid" in parked.error
    assert Instances(store.engine).current(version.instance_id) == version
    assert left_over(tmp_path) == []


def test_a_lossy_result_under_the_same_uid_may_take_its_place(store, version, plan):
    plan(ladder=[JPEG], replace=True)
    work(store, FakeCodecs(**LOSSY | {"sop_instance_uid": version.sop_instance_uid}))
    assert Instances(store.engine).current(version.instance_id).transfer_syntax_uid == JPEG


def test_an_image_that_cannot_be_transcoded_is_parked_with_the_reason(store, plan, tmp_path):
    plan()
    work(store, FakeCodecs(CodecFailed("damaged")))
    parked, blocked = store.board.rows()
    assert (parked.state, parked.error_kind, parked.error) == ("parked", "codec-failed", "damaged")
    assert blocked.state == "blocked"
    assert left_over(tmp_path) == []


def test_the_original_goes_on_when_the_script_wants_that(store, version, plan):
    plan(on_failure="keep")
    work(store, FakeCodecs(CodecFailed("damaged")))
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert task.version == version


def test_a_codec_that_is_ended_with_the_gateway_is_no_fault_of_the_image(store, plan):
    plan()
    work(store, FakeCodecs(TranscodeError("killed")), stopping=True)
    store.board.counts()
    store.committer.commit(lambda connection: None)  # what was submitted before is in
    assert states(store) == ["waiting", "blocked"]


def test_a_fault_of_ours_with_one_image_is_parked_and_seen(store, plan, tmp_path):
    plan()
    work(store, FakeCodecs(ZeroDivisionError("secret of the patient")))
    parked, _blocked = store.board.rows()
    assert (parked.state, parked.error_kind) == ("parked", "internal")
    assert "secret" not in parked.error
    assert left_over(tmp_path) == []


def test_a_device_without_room_is_no_fault_of_the_image(store, plan, tmp_path, monkeypatch):
    """Room is made some day: nobody has to look after these tasks then."""
    plan()
    codecs = FakeCodecs()
    busy = worker(store, codecs)

    def full(staged) -> None:
        if list(staged):
            raise StorageFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(store.files, "publish", full)
        with pytest.raises(StorageFull):
            busy.work(lambda: False)
    assert len(codecs.asked) == 1
    assert left_over(tmp_path) == []
    assert busy.work(lambda: False)
    assert states(store) == ["done", "waiting"]


def test_seconds_are_counted_by_syntax(store, plan):
    plan()
    metrics = Metrics()
    worker(store, FakeCodecs(), metrics).work(lambda: False)
    labels = {"syntax": "JPEG2000Lossless"}
    assert metrics.registry.get_sample_value("gateway_codec_seconds_total", labels) == 0.5


def test_only_those_who_wait_for_the_result_are_woken(store, plan, waiting_now):
    plan()
    waiting_now.clear()
    transcoding = Transcoding(store.files, FakeCodecs(), CodecSettings().options(), Metrics())
    TranscodeWorker(store.tasks, store.files, transcoding, Metrics()).work(lambda: False)
    assert waiting_now == [(Action.FORWARD, "pacs")]
