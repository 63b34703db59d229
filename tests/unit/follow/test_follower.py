"""Following a server: what it has is here afterwards, whatever it does meanwhile."""

import base64
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from images import made_ct
from rest_support import file_bytes
from source_support import FakeOrthanc, body, endless_pixels, public_id, silence, status
from sqlalchemy import select
from store_support import Instances, store_ingest
from waiting import wait_until

from gateway.config.models import Configuration, Follow, Retry
from gateway.dicom.identifiers import instance_id
from gateway.errors import (
    AnswerNotUnderstood,
    FilterFailed,
    GatewayError,
    PeerRefused,
    RemoteUnreachable,
    StorageFull,
)
from gateway.follow import follower as follower_module
from gateway.follow.follower import Follower
from gateway.follow.followers import Followers
from gateway.follow.source import Source
from gateway.follow.taking import Outcome, Taker
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind, Verdict
from gateway.ports import UNFILTERED
from gateway.store import schema
from gateway.store.bookmarks import BookmarkTable
from gateway.store.instances import as_origin
from gateway.store.opened import Store

NAME = "old"
ATTEMPTS = 3


@pytest.fixture
def source() -> Iterator[FakeOrthanc]:
    with FakeOrthanc().running() as fake:
        yield fake


@dataclass
class Followed:
    """Everything on our side, over a store of its own."""

    store: Store
    bookmarks: BookmarkTable
    metrics: Metrics
    follower: Follower
    link: Source

    @property
    def position(self) -> int:
        known = self.bookmarks.get(NAME)
        return known.number if known else -1

    def has(self, image: int) -> bool:
        dataset = made_ct(image)
        ours = instance_id(
            dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID,
            dataset.SOPInstanceUID,
        )  # fmt: skip
        return Instances(self.store.engine).current(ours) is not None

    def count(self, outcome: Outcome) -> int:
        value = self.metrics.registry.get_sample_value(
            "gateway_followed_instances_total", {"source": NAME, "outcome": outcome}
        )
        return int(value or 0)

    def origin(self) -> Origin:
        """Of the only instance."""
        with self.store.engine.connect() as connection:
            return as_origin(connection.execute(select(schema.version)).one())

    def events(self) -> int:
        with self.store.engine.connect() as connection:
            return connection.exec_driver_sql(
                "select count(*) from event where kind = 'OnStoredInstance'"
            ).scalar_one()

    def settle(self) -> None:
        """Step until there is nothing new."""
        while self.follower.step():
            pass

    def fail(self, kind: type[GatewayError]) -> None:
        with pytest.raises(kind):
            self.settle()


Follow_ = Callable[..., Followed]


@pytest.fixture
def follow(store: Store, source: FakeOrthanc) -> Iterator[Follow_]:
    """`follow(start=..., duplicates=..., filters=...)`: a follower of the source."""
    opened: list[tuple[Source, ThreadPoolExecutor]] = []

    def make(duplicates: str = "overwrite", filters=UNFILTERED, minimum_free_bytes=0, **keys):
        keys = {"name": NAME, "url": source.url, "start": "beginning", "timeout_s": 20} | keys
        settings, metrics = Follow(**keys), Metrics()
        ingest = store_ingest(
            store, duplicates=duplicates, minimum_free_bytes=minimum_free_bytes, metrics=metrics,
            filters=filters,
        )  # fmt: skip
        link, downloads = Source(settings), ThreadPoolExecutor(settings.downloads)
        opened.append((link, downloads))
        bookmarks = BookmarkTable(store.engine, store.committer)
        taker = Taker(link, ingest, delete_at_source=settings.delete_at_source)
        follower = Follower(
            settings, link, taker, bookmarks, downloads, metrics, attempts=ATTEMPTS
        )  # fmt: skip
        return Followed(store, bookmarks, metrics, follower, link)

    yield make
    for link, downloads in opened:
        downloads.shutdown()
        link.close()


def image(number: int, **attributes: object) -> bytes:
    return file_bytes(made_ct(number, **attributes))


def test_what_the_source_has_is_taken_from_the_beginning(source, follow):
    for number in (1, 2, 3):
        source.add(number, image(number))
    gateway = follow()
    gateway.settle()
    assert all(gateway.has(number) for number in (1, 2, 3))
    assert gateway.position == 6
    assert gateway.events() == 3


def test_by_default_only_what_comes_from_now_on_is_taken(source, follow):
    source.add(1, image(1))
    gateway = follow(start="now")
    gateway.settle()
    source.add(2, image(2))
    gateway.settle()
    assert not gateway.has(1)
    assert gateway.has(2)


def test_more_than_a_page_is_followed_page_by_page(source, follow):
    for number in range(60):
        source.add(number, image(number))
    gateway = follow(downloads=4)
    gateway.settle()
    assert gateway.count(Outcome.TAKEN) == 60
    assert gateway.position == 120  # a page has a hundred


def test_after_a_restart_it_goes_on_where_it_was(source, follow):
    first = source.add(1, image(1))
    follow().settle()
    source.add(2, image(2))
    follow().settle()
    assert source.requests_for(source.path(first)) == 1


def test_what_was_taken_before_is_no_second_event(source, follow, store):
    source.add(1, image(1))
    follow().settle()
    BookmarkTable(store.engine, store.committer).put(NAME, follower_module.BEGINNING)
    again = follow()
    again.settle()
    assert again.count(Outcome.KNOWN) == 1
    assert again.events() == 1


def test_scripts_see_the_modality_that_the_source_had_it_from(source, follow):
    source.metadata = {
        "Origin": "DicomProtocol", "RemoteAET": "CT1", "CalledAET": "ORTHANC",
        "RemoteIP": "10.0.0.7",
    }  # fmt: skip
    source.add(1, image(1))
    gateway = follow()
    gateway.settle()
    origin = gateway.origin()
    assert origin.kind is OriginKind.DICOM
    assert (origin.calling_aet, origin.called_aet) == ("CT1", "ORTHANC")
    assert origin.remote_ip == "10.0.0.7"


def test_scripts_see_the_source_when_it_had_it_otherwise(source, follow):
    source.metadata = {"Origin": "RestApi", "RemoteIP": "10.0.0.7"}
    source.add(1, image(1))
    gateway = follow()
    gateway.settle()
    origin = gateway.origin()
    assert (origin.kind, origin.remote_ip) == (OriginKind.REST, "127.0.0.1")


def test_names_that_are_none_do_not_reach_the_file(source, follow):
    source.metadata = {
        "Origin": "DicomProtocol", "RemoteAET": "A" * 300, "CalledAET": "\u00e4\\", "RemoteIP": "?"
    }  # fmt: skip
    source.add(1, image(1))
    gateway = follow()
    gateway.settle()
    assert gateway.has(1)


def test_an_instance_that_was_deleted_meanwhile_is_passed_over(source, follow):
    gone = source.add(1, image(1))
    source.add(2, image(2))
    del source.files[gone]
    gateway = follow()
    gateway.settle()
    assert gateway.count(Outcome.GONE) == 1
    assert gateway.has(2)


def test_a_source_that_lost_its_database_is_followed_from_the_beginning(source, follow):
    for number in (1, 2, 3):
        source.add(number, image(number))
    gateway = follow(start="now")
    gateway.settle()
    source.lose_database()
    source.add(4, image(4))
    gateway.settle()
    assert gateway.has(4)
    assert gateway.position == 2


def test_a_new_database_that_has_caught_up_is_noticed(source, follow):
    source.add(1, image(1))
    gateway = follow()
    gateway.settle()
    source.lose_database()
    source.tell("NewInstance", public_id(2), date="20270101T000000")
    source.tell("NewSeries", public_id(3), date="20270101T000000")
    source.files[public_id(2)] = image(2)
    gateway.settle()
    assert gateway.has(2)


def test_deleting_at_the_source_does_not_look_like_a_lost_database(source, follow):
    source.add(1, image(1))
    gateway = follow()
    gateway.settle()
    source.changes.clear()
    gateway.settle()
    assert gateway.position == 2


def test_what_is_kept_is_deleted_at_the_source_when_that_is_wished(source, follow):
    source.add(1, image(1))
    gateway = follow(delete_at_source=True)
    gateway.settle()
    assert gateway.has(1)
    assert source.files == {}
    gateway.settle()
    assert gateway.count(Outcome.TAKEN) == 1


def test_nothing_is_deleted_at_the_source_otherwise(source, follow):
    source.add(1, image(1))
    follow().settle()
    assert len(source.files) == 1


def test_what_took_its_place_at_the_source_meanwhile_is_not_deleted(source, follow):
    found = source.add(1, image(1))
    source.replies[f"/instances/{found}/attachments/dicom/md5"] = body(b"0" * 32)
    gateway = follow(delete_at_source=True)
    with pytest.raises(GatewayError):
        gateway.settle()
    assert found in source.files
    assert gateway.position < 1


def test_a_source_that_computes_no_md5_is_believed(source, follow):
    found = source.add(1, image(1))
    source.replies[f"/instances/{found}/attachments/dicom/md5"] = body(b"")
    follow(delete_at_source=True).settle()
    assert source.files == {}


class Unwilling:
    """Filters that want nothing, or do not know."""

    wants_received = True
    wants_requests = wants_sending = wants_associations = False

    def __init__(self, error: GatewayError | None = None) -> None:
        self.error = error

    def received(self, tags, origin, *, transfer_syntax_uid, has_pixel_data):
        if self.error:
            raise self.error
        return Verdict(keeps=False, script="filter.lua")


def test_what_a_filter_does_not_want_stays_at_the_source(source, follow):
    source.add(1, image(1))
    gateway = follow(delete_at_source=True, filters=Unwilling())
    gateway.settle()
    assert gateway.count(Outcome.DISCARDED) == 1
    assert not gateway.has(1)
    assert len(source.files) == 1


def test_a_filter_without_an_answer_is_waited_for(source, follow):
    source.add(1, image(1))
    gateway = follow(filters=Unwilling(FilterFailed("filter.lua:1: no")))
    for _ in range(2 * ATTEMPTS):
        gateway.fail(FilterFailed)
    assert gateway.position == 0


def test_what_is_kept_already_with_other_content_is_passed_over_by_that_policy(source, follow):
    source.add(1, image(1))
    follow().settle()
    source.add(1, image(1, PatientName="OTHER"))
    gateway = follow(duplicates="reject", delete_at_source=True)
    gateway.settle()
    assert gateway.count(Outcome.REFUSED) == 1
    assert len(source.files) == 1


def test_a_full_disk_loses_nothing(source, follow):
    source.add(1, image(1))
    full = follow(minimum_free_bytes=1 << 60, delete_at_source=True)
    for _ in range(2 * ATTEMPTS):
        full.fail(StorageFull)
    gateway = follow()
    gateway.settle()
    assert gateway.has(1)


def test_a_source_that_is_down_is_waited_for(source, follow, store):
    source.add(1, image(1))
    gateway = follow()
    source.replies["/changes"] = status(503)
    gateway.fail(PeerRefused)
    gateway.fail(PeerRefused)
    source.replies.clear()
    gateway.settle()
    assert gateway.has(1)


@pytest.mark.parametrize("answer", [b"<html>", b'{"Changes": 7}', b"[" * 100_000])
def test_garbage_for_changes_moves_nothing(source, follow, answer):
    source.add(1, image(1))
    gateway = follow()
    source.replies["/changes"] = body(answer)
    gateway.fail(AnswerNotUnderstood)
    source.replies.clear()
    gateway.settle()
    assert gateway.has(1)


def test_a_page_without_end_is_given_up(source, follow, monkeypatch):
    monkeypatch.setattr("gateway.follow.source._MAXIMUM_JSON_BYTES", 1000)
    source.replies["/changes"] = body(b" " * 100_000)
    follow().fail(AnswerNotUnderstood)


def test_a_url_that_is_no_orthanc_is_told(source, follow):
    source.replies["/changes"] = status(404)
    follow().fail(AnswerNotUnderstood)


@pytest.mark.parametrize("code", [401, 403, 502, 503])
def test_a_source_that_refuses_us_altogether_loses_no_instance(source, follow, code):
    found = source.add(1, image(1))
    gateway = follow()
    source.replies[source.path(found)] = status(code)
    for _ in range(2 * ATTEMPTS):
        gateway.fail(PeerRefused)
    assert gateway.position == 0


def unreadable(source: FakeOrthanc, found: str) -> None:
    source.replies[source.path(found)] = body(b"this is no DICOM file" * 100)


def broken(source: FakeOrthanc, found: str) -> None:
    source.replies[source.path(found)] = status(500)


def cut_off(source: FakeOrthanc, found: str) -> None:
    file = source.files[found]
    source.replies[source.path(found)] = body(file[:-10], announced=len(file))


def cut_off_unnoticed(source: FakeOrthanc, found: str) -> None:
    source.replies[source.path(found)] = body(source.files[found][:-10])


@pytest.mark.parametrize("trouble", [unreadable, broken, cut_off, cut_off_unnoticed])
def test_an_instance_in_trouble_holds_up_the_others_for_a_while_only(source, follow, trouble):
    found = source.add(1, image(1))
    good = source.add(2, image(2))
    trouble(source, found)
    gateway = follow(delete_at_source=True)
    for _ in range(ATTEMPTS - 1):
        gateway.fail(GatewayError)
    assert gateway.position <= 0
    gateway.settle()
    assert gateway.position == 4
    assert gateway.has(2)
    assert not gateway.has(1)
    assert source.requests_for(source.path(good)) == 1
    assert found in source.files
    assert list(gateway.bookmarks.left_behind(NAME)) == [found]


def test_an_instance_that_was_left_behind_is_tried_again(source, follow, monkeypatch):
    found = source.add(1, image(1))
    broken(source, found)
    gateway = follow()
    for _ in range(ATTEMPTS - 1):
        gateway.fail(GatewayError)
    gateway.settle()
    source.replies.clear()
    gateway.settle()
    assert not gateway.has(1)  # not at once
    again = follow()  # but after a restart, at the latest
    again.settle()
    assert again.has(1)
    assert list(again.bookmarks.left_behind(NAME)) == []


def test_the_bookmark_stays_before_what_is_not_kept(source, follow):
    source.add(1, image(1))
    found = source.add(2, image(2))
    source.add(3, image(3))
    broken(source, found)
    gateway = follow()
    gateway.fail(PeerRefused)
    assert gateway.position == 2
    assert gateway.has(3)


def test_a_compressed_file_is_not_mistaken_for_an_image(source, follow):
    found = source.add(1, image(1))
    source.replies[source.path(found)] = body(b"\x1f\x8b", Content_Encoding="gzip")
    gateway = follow()
    gateway.fail(AnswerNotUnderstood)
    assert gateway.position == 0


def test_whole_studies_are_taken_when_they_are_stable(source, follow):
    study = public_id(500)
    ids = [source.add(number, image(number)) for number in (1, 2)]
    source.studies[study] = ids
    gateway = follow(take="StableStudy")
    gateway.settle()
    assert not gateway.has(1)
    source.tell("StableStudy", study)
    source.tell("StableStudy", public_id(501))  # deleted meanwhile
    gateway.settle()
    assert gateway.has(1)
    assert gateway.has(2)


def test_it_says_who_we_are(source, follow):
    source.credentials = "Basic " + base64.b64encode(b"alice:secret").decode()
    source.add(1, image(1))
    gateway = follow(username="alice", password="secret")
    gateway.settle()
    assert gateway.has(1)
    follow(username="alice", password="wrong", name="other").fail(PeerRefused)


def test_a_source_is_followed_over_https_when_its_certificate_is_trusted(follow, certificate):
    with FakeOrthanc().running(certificate) as secure:
        secure.add(1, image(1))
        stranger = follow(name="unknown", url=secure.url)
        stranger.fail(RemoteUnreachable)
        gateway = follow(url=secure.url, trusted_certificates=certificate[0])
        gateway.settle()
        assert gateway.has(1)
        careless = follow(name="careless", url=secure.url, check_certificate=False)
        careless.settle()
        for each in (stranger, gateway, careless):
            each.link.close()  # or the server would wait for more of them


def test_a_huge_file_passes_through_little_memory(source, follow):
    """made_ct's pixels are its last element: a file with other ones gets another length there."""
    pixel_bytes = 96 << 20
    small = image(1, rows=1, columns=1)
    head = small[:-6] + pixel_bytes.to_bytes(4, "little")
    found = source.add(1, small)
    source.replies[source.path(found)] = endless_pixels(head, pixel_bytes)
    gateway = follow()
    tracemalloc.start()
    gateway.settle()
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert gateway.has(1)
    assert most_bytes < 16 << 20


def test_an_answer_that_does_not_come_is_waited_for_so_long_only(source, follow):
    source.add(1, image(1))
    done = threading.Event()
    source.replies["/changes"] = silence(done)
    try:
        follow(timeout_s=0.2).fail(RemoteUnreachable)
    finally:
        done.set()


def running(
    store: Store, source: FakeOrthanc, metrics: Metrics, trusted: Path | None = None
) -> Followers:
    follow = Follow(
        name=NAME, url=source.url, start="beginning", poll_interval_s=0.01,
        trusted_certificates=trusted,
    )  # fmt: skip
    settings = Configuration(
        follow=(follow,),
        retry=Retry(first_delay_s=0.01, maximum_delay_s=0.02),
    )  # fmt: skip
    ingest = store_ingest(store, metrics=metrics)
    return Followers(settings, ingest, BookmarkTable(store.engine, store.committer), metrics)


def up(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("gateway_source_up", {"source": NAME})


def test_a_source_that_comes_back_is_followed_again(source, store):
    metrics = Metrics()
    source.replies["/changes"] = status(503)
    followers = running(store, source, metrics)
    followers.start()
    try:
        wait_until(lambda: up(metrics) == 0)
        source.replies.clear()
        wait_until(lambda: up(metrics) == 1)
    finally:
        followers.stop(10)


@pytest.mark.parametrize("path", ["/changes", "file"])
@pytest.mark.parametrize("is_secure", [False, True])
def test_stopping_waits_for_no_silent_source(store, certificate, path, is_secure):
    done = threading.Event()
    with FakeOrthanc().running(certificate if is_secure else None) as source:
        found = source.add(1, image(1))
        waited_for = source.path(found) if path == "file" else path
        source.replies[waited_for] = silence(done)
        before = set(threading.enumerate())
        followers = running(store, source, Metrics(), certificate[0])
        followers.start()
        try:
            wait_until(lambda: waited_for in source.asked)
            followers.stop(10)
            ours = {thread.name for thread in set(threading.enumerate()) - before}
            assert not {name for name in ours if name.startswith(("follow", "download"))}
        finally:
            done.set()
