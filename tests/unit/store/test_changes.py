"""The logs that clients follow: changes, and exports."""

import pytest

from gateway.model import Level
from gateway.store.catalogue import Catalogue
from gateway.store.changes import ChangeLog, log_export
from gateway.store.instances import mark_deleted


@pytest.fixture
def log(store):
    return ChangeLog(store.engine, store.committer)


def kinds(page) -> list[str]:
    return [entry.kind for entry in page.entries]


def all_changes(log):
    return log.changes(since=0, limit=1000)


def test_the_first_instance_is_told_of_before_what_it_belongs_to(kept, log):
    kept(1)
    page = all_changes(log)
    assert kinds(page) == ["NewInstance", "NewSeries", "NewStudy", "NewPatient"]
    assert [entry.number for entry in page.entries] == [1, 2, 3, 4]
    assert (page.is_done, page.last) == (True, 4)


def test_a_page_tells_where_the_next_one_begins(kept, log):
    kept(1)
    first = log.changes(since=0, limit=3)
    assert (len(first.entries), first.is_done, first.last) == (3, False, 3)
    second = log.changes(since=first.last, limit=3)
    assert (kinds(second), second.is_done, second.last) == (["NewPatient"], True, 4)


def test_a_page_that_ends_with_the_log_is_the_last_one(kept, log):
    kept(1)
    assert log.changes(since=0, limit=4).is_done


def test_beyond_the_end_the_last_number_is_told(kept, log):
    kept(1)
    page = log.changes(since=99, limit=10)
    assert (page.entries, page.is_done, page.last) == ((), True, 4)


def test_the_newest_change_can_be_asked_for_alone(kept, log):
    kept(1)
    page = log.last_change()
    assert (kinds(page), page.is_done, page.last) == (["NewPatient"], True, 4)


def test_numbers_go_on_after_the_log_was_cleared(kept, log):
    kept(1)
    log.forget_changes()
    assert (all_changes(log).entries, all_changes(log).last, log.last_change().last) == ((), 4, 4)
    kept(2)
    assert [entry.number for entry in all_changes(log).entries] == [5]


def test_what_is_gone_is_not_in_the_log_any_more(store, kept, log):
    kept(1)
    second = kept(2)
    store.committer.commit(lambda connection: mark_deleted(connection, second.version_id))
    assert kinds(all_changes(log)).count("NewInstance") == 1
    assert second.instance_id not in {entry.resource_id for entry in all_changes(log).entries}


def test_other_content_for_an_instance_is_told_as_a_new_instance(kept, log):
    kept(1)
    kept(1, ImageComments="other")
    assert kinds(all_changes(log)) == ["NewSeries", "NewStudy", "NewPatient", "NewInstance"]


@pytest.mark.parametrize(
    ("level", "known"),
    [
        (Level.PATIENT, ["PatientID"]),
        (Level.STUDY, ["PatientID", "StudyInstanceUID"]),
        (Level.SERIES, ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]),
        (Level.INSTANCE, ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]),
    ],
)
def test_an_export_tells_the_identifiers_of_what_was_sent(store, kept, log, level, known):
    kept(1)
    (resource_id,) = Catalogue(store.engine).ids(level)
    store.committer.commit(lambda c: log_export(c, level, resource_id, "archive"))
    (entry,) = log.exports(since=0, limit=10).entries
    assert (entry.level, entry.resource_id, entry.remote) == (level, resource_id, "archive")
    assert list(entry.identifiers) == known
    assert entry.identifiers["PatientID"] == "SECRET-ID"


def test_exports_are_paged_and_cleared_as_changes_are(store, kept, log):
    kept(1)
    (patient_id,) = Catalogue(store.engine).ids(Level.PATIENT)
    for _ in range(3):
        store.committer.commit(lambda c: log_export(c, Level.PATIENT, patient_id, "archive"))
    page = log.exports(since=1, limit=1)
    assert ([entry.number for entry in page.entries], page.is_done, page.last) == ([2], False, 2)
    assert log.last_export().last == 3
    log.forget_exports()
    assert log.exports(since=0, limit=10).entries == ()
    assert log.last_export().last == 0
