"""What becomes of an arrival: kept with its event, refused with a reason, or nothing left of it."""

import hashlib
import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from sqlalchemy import select
from store_support import Instances, store_ingest
from structlog.testing import capture_logs

from gateway.dicom import part10
from gateway.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE, JPEG2000_LOSSLESS
from gateway.errors import (
    DuplicateRefused,
    InstanceMismatch,
    InstanceUnreadable,
    LoopNoticed,
    StorageFull,
    StoreError,
)
from gateway.metrics import Metrics
from gateway.model import Event, Origin, OriginKind, Version, VersionState
from gateway.store import schema
from gateway.store.files import DERIVED
from gateway.store.ingest import StoreIngest
from gateway.store.instances import NewVersion, add_derived, mark_deleted
from gateway.store.opened import Store

pytestmark = pytest.mark.usefixtures("lane")


@pytest.fixture
def lane(store: Store) -> str:
    """A lane that collects events."""
    store.outbox.open_lane("lane.lua")
    store.outbox.describe_lane(
        "lane.lua", script_version="v", callbacks=["OnStoredInstance"], fault=""
    )
    return "lane.lua"


@pytest.fixture
def ingest(store: Store) -> StoreIngest:
    return store_ingest(store)


def begin(ingest: StoreIngest, *, calling_aet: str = "MODALITY"):
    return ingest.begin(
        sop_class_uid=CTImageStorage,
        sop_instance_uid="1.2.826.0.1.3680043.10.1.1",
        transfer_syntax_uid=EXPLICIT_LE.uid,
        origin=Origin(OriginKind.DICOM, calling_aet, "GATEWAY", "10.0.0.7"),
    )


def events(store: Store) -> list[Event]:
    return store.outbox.pending("lane.lua", 100)


def versions(store: Store) -> list[tuple[str, str]]:
    """State and key of every version, oldest first."""
    version = schema.version.c
    with store.engine.connect() as connection:
        rows = connection.execute(
            select(version.state, version.storage_key).order_by(version.version_id)
        )
        return [(row.state, row.storage_key) for row in rows]


def states(store: Store) -> list[str]:
    return [state for state, _key in versions(store)]


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "data" / "incoming").iterdir())


def current(store: Store, instance_id: str) -> Version:
    found = Instances(store.engine).current(instance_id)
    assert found is not None
    return found


@contextmanager
def full_disk(largest_bytes: int) -> Iterator[None]:
    """Within the block no file of this process grows beyond that: a device without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- kept ----------------------------------------------------------------------------------------


def test_an_arrival_is_kept_as_it_was_sent_behind_a_header_of_ours(
    store, receive, made_ct, data_set_bytes
):
    image = made_ct()
    version = current(store, receive(image))
    path = store.files.path(version.storage_key)
    meta = part10.read_meta(path)
    content = path.read_bytes()
    assert content[meta.data_set_offset :] == data_set_bytes(image)
    assert version.size_bytes == len(content)
    assert dcmread(path) == image
    assert (meta.calling_aet, meta.called_aet) == ("MODALITY", "GATEWAY")


def test_an_arrival_is_one_event_with_its_origin(store, receive, made_ct):
    instance_id = receive(made_ct())
    (event,) = events(store)
    assert event.version.instance_id == instance_id
    assert event.origin == Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")
    assert event.metadata["RemoteAET"] == "MODALITY"


@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE], ids=lambda syntax: syntax.short)
def test_an_arrival_is_kept_in_the_syntax_it_came_in(
    store, receive, made_ct, data_set_bytes, syntax
):
    image = made_ct()
    data = data_set_bytes(image, syntax.uid)
    version = current(store, receive(image, syntax_uid=syntax.uid, data=data))
    assert version.transfer_syntax_uid == syntax.uid
    assert dcmread(store.files.path(version.storage_key)).file_meta.TransferSyntaxUID == syntax.uid


def test_many_small_fragments_make_one_data_set(store, ingest, made_ct, data_set_bytes):
    data = data_set_bytes(made_ct())
    with begin(ingest) as arrival:
        for at in range(0, len(data), 7):
            arrival.write(memoryview(data)[at : at + 7])
        instance_id = arrival.keep()
    content = store.files.path(current(store, instance_id).storage_key).read_bytes()
    assert content.endswith(data)


def test_listeners_are_told_once_the_event_is_there(store, receive, made_ct):
    seen: list[int] = []
    receive(made_ct(), on_stored=lambda: seen.append(len(events(store))))
    assert seen == [1]


def test_many_associations_at_once_lose_nothing(store, receive, made_ct):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: receive(made_ct(n)), range(1, 65)))
    assert {event.version.instance_id for event in events(store)} == set(ids)
    assert len(set(ids)) == 64


# --- the same instance again ---------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["overwrite", "keep", "reject"])
def test_the_same_content_again_is_success_without_a_second_event(
    store, receive, made_ct, tmp_path, policy
):
    first = receive(made_ct(), duplicates=policy)
    assert receive(made_ct(), duplicates=policy) == first
    assert len(events(store)) == 1
    assert [key for _state, key in versions(store)] == list(store.files.keys())
    assert left_over(tmp_path) == []


def test_the_same_content_at_once_over_many_associations_is_one_event(store, receive, made_ct):
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _n: receive(made_ct()), range(16)))
    assert len(ids) == 1
    assert len(events(store)) == 1
    assert len(list(store.files.keys())) == 1


def test_overwrite_makes_the_newcomer_current_and_keeps_both_files_for_their_events(
    store, receive, made_ct
):
    receive(made_ct(), duplicates="overwrite")
    instance_id = receive(made_ct(PatientName="Other^Content"), duplicates="overwrite")
    assert states(store) == [VersionState.SUPERSEDED, VersionState.CURRENT]
    assert dcmread(store.files.path(current(store, instance_id).storage_key)).PatientName == (
        "Other^Content"
    )
    assert len(events(store)) == 2
    assert len(list(store.files.keys())) == 2


def test_keep_leaves_the_first_current_and_tells_scripts_of_the_second(store, receive, made_ct):
    receive(made_ct(), duplicates="keep")
    instance_id = receive(made_ct(PatientName="Other^Content"), duplicates="keep")
    assert states(store) == [VersionState.CURRENT, VersionState.KEPT]
    assert dcmread(store.files.path(current(store, instance_id).storage_key)).PatientName == (
        "SECRET^NAME"
    )
    assert [event.version.state for event in events(store)] == ["current", "kept"]


def test_keep_knows_the_second_content_again(store, receive, made_ct):
    receive(made_ct(), duplicates="keep")
    receive(made_ct(PatientName="Other^Content"), duplicates="keep")
    receive(made_ct(PatientName="Other^Content"), duplicates="keep")
    assert len(events(store)) == 2


def test_reject_refuses_other_content_and_keeps_the_first(store, receive, made_ct, tmp_path):
    receive(made_ct(), duplicates="reject")
    with pytest.raises(DuplicateRefused):
        receive(made_ct(PatientName="Other^Content"), duplicates="reject")
    assert states(store) == [VersionState.CURRENT]
    assert len(events(store)) == 1
    assert len(list(store.files.keys())) == 1
    assert left_over(tmp_path) == []


def test_an_overwriting_is_never_silent(receive, made_ct):
    receive(made_ct())
    with capture_logs() as lines:
        receive(made_ct(PatientName="Other^Content"))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("instance overwritten", "warning")
    ]


def test_what_a_script_deleted_is_new_when_it_comes_again(store, receive, made_ct):
    instance_id = receive(made_ct())
    version_id = current(store, instance_id).version_id
    store.committer.commit(lambda connection: mark_deleted(connection, version_id))
    receive(made_ct(), duplicates="reject")
    assert states(store) == [VersionState.DELETED, VersionState.CURRENT]
    assert len(events(store)) == 2


def test_the_original_of_a_lossless_replacement_is_a_repetition(store, receive, made_ct):
    instance_id = receive(made_ct())
    version_id = current(store, instance_id).version_id
    made = store.files.stage(DERIVED)
    made.create().close()
    new = NewVersion(made.key, JPEG2000_LOSSLESS.uid, 10)
    store.committer.commit(lambda c: add_derived(c, version_id, new, replace=True), [made])
    receive(made_ct())
    assert len(events(store)) == 1
    assert current(store, instance_id).transfer_syntax_uid == JPEG2000_LOSSLESS.uid


def test_overwriting_leaves_the_other_contents_that_were_kept_beside(store, receive, made_ct):
    """`keep` once promised them; only what the instance's id names is replaced."""
    receive(made_ct(), duplicates="keep")
    receive(made_ct(PatientName="Kept^Beside"), duplicates="keep")
    receive(made_ct(PatientName="Third^Content"), duplicates="overwrite")
    assert states(store) == ["superseded", "kept", "current"]


def test_when_only_a_kept_one_is_left_the_newcomer_gets_the_id(store, receive, made_ct):
    """Else the id would name nothing, though two contents of it are stored."""
    instance_id = receive(made_ct(), duplicates="keep")
    receive(made_ct(PatientName="Kept^Beside"), duplicates="keep")
    version_id = current(store, instance_id).version_id
    store.committer.commit(lambda connection: mark_deleted(connection, version_id))
    receive(made_ct(PatientName="Third^Content"), duplicates="keep")
    assert states(store) == ["deleted", "kept", "current"]


# --- refused -------------------------------------------------------------------------------------


def nothing_is_left(store: Store, tmp_path: Path) -> bool:
    return not (events(store) or versions(store) or list(store.files.keys()) or left_over(tmp_path))


def test_another_sop_class_than_announced_is_refused(store, ingest, made_ct, data_set_bytes):
    image = made_ct()
    with (
        pytest.raises(InstanceMismatch, match="SOP Class UID"),
        ingest.begin(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
            sop_instance_uid=image.SOPInstanceUID,
            transfer_syntax_uid=EXPLICIT_LE.uid,
            origin=Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7"),
        ) as arrival,
    ):
        arrival.write(data_set_bytes(image))
        arrival.keep()
    assert not list(store.files.keys())


def test_the_newest_content_says_of_which_sop_class_an_instance_is(store, receive, made_ct):
    receive(made_ct())
    receive(made_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))
    with store.engine.connect() as connection:
        (found,) = connection.exec_driver_sql("select sop_class_uid from instance").one()
    assert found == "1.2.840.10008.5.1.4.1.1.7"


def test_another_instance_than_announced_is_refused(store, receive, made_ct, tmp_path):
    with pytest.raises(InstanceMismatch, match=r"1\.2\.3"):
        receive(made_ct(), announced="1.2.3")
    assert nothing_is_left(store, tmp_path)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_an_instance_without_an_identifier_is_refused(
    store, receive, made_ct, data_set_bytes, tmp_path, keyword, value
):
    data = data_set_bytes(made_ct(**{keyword: value}))
    with pytest.raises(InstanceUnreadable, match=keyword):
        receive(made_ct(), data=data)
    assert nothing_is_left(store, tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: os.urandom(64),
        lambda data: data[:40],
        lambda data: b"\xff" * 1000,
        lambda data: data.replace(b"UI", b"??"),
    ],
    ids=["empty", "noise", "cut off", "all ones", "no value representations"],
)
def test_what_cannot_be_read_is_refused(
    store, receive, made_ct, data_set_bytes, tmp_path, spoil: Callable[[bytes], bytes]
):
    with pytest.raises((InstanceUnreadable, InstanceMismatch)):
        receive(made_ct(), data=spoil(data_set_bytes(made_ct())))
    assert nothing_is_left(store, tmp_path)


def test_a_patient_without_an_id_is_accepted(store, receive, made_ct):
    receive(made_ct(PatientID=None))
    receive(made_ct(2, PatientID=""))
    assert len(events(store)) == 2


def test_leaving_without_keeping_forgets_what_was_written(store, ingest, tmp_path):
    with begin(ingest) as arrival:
        arrival.write(b"half of somethi")
    assert nothing_is_left(store, tmp_path)


def test_a_connection_that_breaks_leaves_nothing(store, ingest, tmp_path):
    with pytest.raises(ConnectionResetError), begin(ingest) as arrival:
        arrival.write(b"x" * 1_000_000)
        raise ConnectionResetError
    assert nothing_is_left(store, tmp_path)


@pytest.mark.filterwarnings("ignore:Invalid value for VR AE")
def test_a_caller_whose_name_cannot_be_encoded_leaves_no_file(store, ingest, tmp_path):
    with pytest.raises((TypeError, ValueError)):
        begin(ingest, calling_aet="日本")
    assert nothing_is_left(store, tmp_path)


# --- a device without room -----------------------------------------------------------------------


def test_too_little_free_room_refuses_before_anything_is_written(store, receive, made_ct, tmp_path):
    with pytest.raises(StorageFull, match="minimum_free_mb"):
        receive(made_ct(), minimum_free_bytes=1 << 60)
    assert nothing_is_left(store, tmp_path)


@pytest.mark.parametrize("pixel_rows", [600, 2000], ids=["found when kept", "found when written"])
def test_a_device_that_fills_up_is_storage_full_and_nothing_is_left(
    store, receive, made_ct, tmp_path, pixel_rows
):
    """Whether the last bytes are still in our buffer or not."""
    image = made_ct(rows=pixel_rows, columns=200)
    with full_disk(largest_bytes=200_000), pytest.raises(StorageFull):
        receive(image)
    assert nothing_is_left(store, tmp_path)


def test_a_device_that_fills_up_before_a_sender_goes_away_leaves_nothing(store, ingest, tmp_path):
    with full_disk(largest_bytes=1000), begin(ingest) as arrival:
        arrival.write(b"x" * 5000)
    assert nothing_is_left(store, tmp_path)


def test_after_room_was_made_arrivals_are_kept_again(store, receive, made_ct):
    image = made_ct(rows=2000, columns=200)
    with full_disk(largest_bytes=200_000), pytest.raises(StorageFull):
        receive(image)
    receive(image)
    assert len(events(store)) == 1


def test_a_storage_that_was_unmounted_is_a_store_error(store, receive, made_ct, monkeypatch):
    def gone(_path):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("gateway.store.files.shutil.disk_usage", gone)
    with pytest.raises(StoreError):
        receive(made_ct())


def test_metrics_count_what_was_kept_and_not_what_was_known(receive, made_ct):
    metrics = Metrics()
    receive(made_ct(), metrics=metrics)
    kept = metrics.registry.get_sample_value("gateway_stored_bytes_total")
    receive(made_ct(), metrics=metrics)
    assert metrics.registry.get_sample_value("gateway_stored_bytes_total") == kept > 0


def test_the_hash_is_of_the_data_set_alone(store, receive, made_ct, data_set_bytes):
    """So that who sent it, which our header holds, does not make another content of it."""
    receive(made_ct())
    with store.engine.connect() as connection:
        kept = connection.scalar(select(schema.version.c.content_sha256))
    assert kept == hashlib.sha256(data_set_bytes(made_ct())).hexdigest()


@pytest.mark.parametrize(("generation", "is_kept"), [(5, True), (6, False)])
def test_a_script_that_answers_its_own_work_forever_is_stopped(
    store, made_ct, data_set_bytes, generation, is_kept
):
    ingest = store_ingest(store, metrics=(metrics := Metrics()))
    dataset = made_ct()
    origin = Origin(OriginKind.LUA, generation=generation)

    def keep() -> str:
        with ingest.begin(
            sop_class_uid=dataset.SOPClassUID, sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid="1.2.840.10008.1.2.1", origin=origin,
        ) as arrival:  # fmt: skip
            arrival.write(data_set_bytes(dataset))
            return arrival.keep()

    if is_kept:
        assert keep()
        return
    with pytest.raises(LoopNoticed, match="5 times in a row"):
        keep()
    assert versions(store) == []
    assert metrics.registry.get_sample_value("gateway_errors_total", {"kind": "loop"}) == 1
