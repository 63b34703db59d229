"""Files attached to resources: kept as safely as instances, and gone with what they belong to."""

import hashlib

import pytest
from structlog.testing import capture_logs

from gateway.errors import NotFound
from gateway.model import Level
from gateway.store.attachments import Attachments
from gateway.store.catalogue import Catalogue
from gateway.store.changes import ChangeLog
from gateway.store.files import is_compressed
from gateway.store.instances import mark_deleted
from gateway.store.recovery import Recovery

CONTENT = b"a report, " * 100_000


def anybody(known):
    """The guard that lets everything through."""


@pytest.fixture
def attachments(store):
    return Attachments(store.engine, store.committer, store.files)


@pytest.fixture
def version(kept):
    return kept(1)


@pytest.fixture
def study_id(store, version):
    (study_id,) = Catalogue(store.engine).ids(Level.STUDY)
    return study_id


@pytest.fixture
def attach(attachments, study_id):
    def keep(content: bytes = CONTENT, name: str = "1024", guard=anybody):
        with attachments.begin(study_id, name) as arriving:
            arriving.write(content)
            return arriving.keep(guard)

    return keep


def files_on_disk(store) -> set[str]:
    return set(store.files.attachment_keys())


def recover(store):
    with capture_logs() as lines:
        Recovery(store.engine, store.committer, store.files, "overwrite").run()
    return [line["event"] for line in lines if line["log_level"] != "info"]


def delete_instance(store, version):
    store.committer.commit(lambda connection: mark_deleted(connection, version.version_id))


def kinds(store) -> list[str]:
    page = ChangeLog(store.engine, store.committer).changes(since=4, limit=100)
    return [entry.kind for entry in page.entries]


def test_what_was_attached_is_there(attachments, study_id, attach):
    attached = attach()
    assert attachments.of(study_id) == {"1024": attached}
    assert b"".join(attachments.content(attached)) == CONTENT
    assert attached.md5 == hashlib.md5(CONTENT).hexdigest()
    assert (attached.size_bytes, attached.revision) == (len(CONTENT), 0)


def test_an_empty_file_can_be_attached(attachments, attach):
    attached = attach(b"")
    assert attached.size_bytes == 0
    assert b"".join(attachments.content(attached)) == b""
    assert attachments.is_intact(attached)


def test_a_replacement_counts_up_and_the_old_file_goes(store, attachments, study_id, attach):
    first, second = attach(b"one"), attach(b"two")
    assert (first.revision, second.revision) == (0, 1)
    assert files_on_disk(store) == {first.storage_key, second.storage_key}
    assert store.reclaimer.reclaim(10) == 1
    assert files_on_disk(store) == {second.storage_key}
    assert store.reclaimer.reclaim(10) == 0


def test_a_guard_that_raises_leaves_everything_as_it_was(store, attachments, study_id, attach):
    def refuse(known):
        raise PermissionError(known)

    attached = attach(b"one")
    with pytest.raises(PermissionError):
        attach(b"two", guard=refuse)
    with pytest.raises(PermissionError):
        attachments.delete(study_id, "1024", refuse)
    assert attachments.of(study_id) == {"1024": attached}
    assert files_on_disk(store) == {attached.storage_key}


def test_what_is_not_finished_leaves_nothing(store, attachments, study_id):
    with attachments.begin(study_id, "1024") as arriving:
        arriving.write(b"half of it")
    assert attachments.of(study_id) == {}
    assert store.files.clear_staged() == 0


def test_nothing_is_attached_to_what_is_gone(store, version, study_id, attach):
    delete_instance(store, version)
    with pytest.raises(NotFound):
        attach()
    assert files_on_disk(store) == set()


def test_a_deleted_attachment_is_gone_with_its_file(store, attachments, study_id, attach):
    attach()
    attachments.delete(study_id, "1024", anybody)
    store.reclaimer.reclaim(10)
    assert attachments.of(study_id) == {}
    assert files_on_disk(store) == set()
    with pytest.raises(NotFound):
        attachments.delete(study_id, "1024", anybody)


def test_attachments_go_with_their_resource(store, version, attachments, study_id, attach):
    attach()
    delete_instance(store, version)
    store.reclaimer.reclaim(10)
    assert files_on_disk(store) == set()


def test_each_change_is_told(store, attachments, study_id, attach):
    attach()
    attach()
    attachments.delete(study_id, "1024", anybody)
    assert kinds(store) == ["UpdatedAttachment"] * 3


def test_compression_changes_the_file_and_not_what_is_in_it(store, attachments, study_id, attach):
    attached = attach()
    attachments.keep_compressed(attached, compressed=True)
    small = attachments.of(study_id)["1024"]
    assert is_compressed(small.storage_key)
    assert attachments.path(small).stat().st_size < len(CONTENT) / 100
    assert (small.md5, small.size_bytes, small.revision) == (attached.md5, len(CONTENT), 0)
    assert b"".join(attachments.content(small)) == CONTENT
    attachments.keep_compressed(small, compressed=False)
    back = attachments.of(study_id)["1024"]
    assert attachments.path(back).read_bytes() == CONTENT
    store.reclaimer.reclaim(10)
    assert files_on_disk(store) == {back.storage_key}


def test_compressing_twice_is_compressing_once(attachments, study_id, attach):
    attachments.keep_compressed(attach(), compressed=True)
    small = attachments.of(study_id)["1024"]
    attachments.keep_compressed(small, compressed=True)
    assert attachments.of(study_id)["1024"] == small


def test_compressing_what_was_replaced_meanwhile_keeps_the_replacement(
    store, attachments, study_id, attach
):
    old, new = attach(b"old"), attach(b"new")
    attachments.keep_compressed(old, compressed=True)
    store.reclaimer.reclaim(10)
    assert attachments.of(study_id) == {"1024": new}
    assert files_on_disk(store) == {new.storage_key}


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_is_found(attachments, study_id, attach, compressed):
    attachments.keep_compressed(attach(), compressed=compressed)
    attached = attachments.of(study_id)["1024"]
    path = attachments.path(attached)
    whole = path.read_bytes()
    assert attachments.is_intact(attached)
    path.write_bytes(whole[:-5])
    assert not attachments.is_intact(attached)
    path.write_bytes(whole[:20] + b"\xff\xfe" + whole[22:])
    assert not attachments.is_intact(attached)


def test_a_restart_keeps_attachments_and_takes_them_for_no_instances(
    store, attachments, study_id, attach
):
    attached = attach()
    assert recover(store) == []
    assert attachments.of(study_id) == {"1024": attached}


def test_a_crash_before_the_old_file_was_removed_is_made_good(store, attachments, study_id, attach):
    attach(b"one")
    second = attach(b"two")
    assert recover(store) == []
    assert files_on_disk(store) == {second.storage_key}


def test_a_file_whose_row_is_lost_is_attached_again(store, attachments, study_id, attach):
    attachments.keep_compressed(attach(), compressed=True)
    before = attachments.of(study_id)["1024"]
    store.reclaimer.reclaim(10)
    store.committer.commit(
        lambda connection: connection.exec_driver_sql("DELETE FROM attachment") and None
    )
    assert recover(store) == ["entered an attachment without a row again"]
    assert attachments.of(study_id)["1024"] == before


def test_a_replacement_that_was_never_acknowledged_is_removed(store, attachments, study_id, attach):
    attached = attach(b"one")
    staged = store.files.stage_attachment(study_id, "1024")
    staged.path.write_bytes(b"two")
    store.files.publish([staged])
    assert recover(store) == []
    assert attachments.of(study_id) == {"1024": attached}
    assert files_on_disk(store) == {attached.storage_key}


def test_a_file_that_belongs_to_nothing_is_reported_and_kept(store):
    staged = store.files.stage_attachment("0123", "1024")
    staged.path.write_bytes(b"whose?")
    store.files.publish([staged])
    assert recover(store) == ["an attachment of a resource that does not exist"]
    assert files_on_disk(store) == {staged.key}


def test_a_missing_file_is_reported(attachments, store, attach):
    attachments.path(attach()).unlink()
    assert recover(store) == ["the file of an attachment is missing"]
