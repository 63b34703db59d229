"""What an association brings is kept, or its sender is told why not."""

from collections.abc import Iterator

import pytest
from dimse_support import FolderIngest
from structlog.testing import capture_logs

from gateway import logs
from gateway.dimse.intake import Answer, Intake, Offer, is_uid
from gateway.dimse.status import Status, is_warning
from gateway.dimse.upstream import AssociationCut
from gateway.errors import StorageFull
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind

OFFER = Offer("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1")


@pytest.fixture
def ingest(tmp_path):
    return FolderIngest(tmp_path)


@pytest.fixture
def intake(ingest):
    return Intake(
        ingest,
        Metrics(),
        logs.logger("dimse"),
        origin=Origin(OriginKind.DICOM),
        accepts_class=lambda uid: uid == OFFER.sop_class_uid,
    )


def fragments(*parts: bytes) -> Iterator[memoryview]:
    return (memoryview(part) for part in parts)


def cut_off() -> Iterator[memoryview]:
    yield memoryview(b"abc")
    raise AssociationCut("the peer closed the connection")


def test_what_comes_in_fragments_is_kept_as_one(intake, ingest):
    assert intake.take(OFFER, fragments(b"ab", b"cd")) == Answer(Status.SUCCESS)
    assert ingest.kept[0].data == b"abcd"
    assert (intake.tally.stored, intake.tally.received_bytes) == (1, 4)


def test_what_is_refused_half_way_is_read_to_its_end(intake, ingest):
    ingest.fail_write = StorageFull("full")
    rest = fragments(b"ab", b"cd", b"ef")
    assert intake.take(OFFER, rest) == Answer(Status.OUT_OF_RESOURCES, "storage-full")
    assert list(rest) == []
    assert (intake.tally.refused, ingest.leftovers) == (1, [])


def test_a_data_set_that_is_cut_off_is_forgotten(intake, ingest):
    with capture_logs() as lines, pytest.raises(AssociationCut):
        intake.take(OFFER, cut_off())
    assert (ingest.kept, ingest.leftovers) == ([], [])
    assert [line["event"] for line in lines] == ["instance cut off"]


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        (Offer(OFFER.sop_class_uid, "../x", "1.2"), Status.INVALID_SOP_INSTANCE),
        (Offer("1.2.3.4", "1.2.3", "1.2"), Status.SOP_CLASS_NOT_SUPPORTED),
        (Offer("", "1.2.3", "1.2"), Status.SOP_CLASS_NOT_SUPPORTED),
    ],
)
def test_a_request_that_is_wrong_in_itself_reaches_no_ingest(intake, ingest, offer, status):
    ingest.fail_begin = AssertionError("must not be asked")
    assert intake.take(offer, fragments(b"ab")).status is status


@pytest.mark.parametrize("text", ["1.2.3", "2.25.329800735698586629295641978511506172918", "1.02"])
def test_uids_as_they_are_found_are_let_through(text):
    assert is_uid(text)


@pytest.mark.parametrize("text", ["", ".", "1" * 65, "1.2.x", "../1", "1.2 ", "1.2\n", "\u0661.2"])
def test_what_is_no_uid_is_not(text):
    assert not is_uid(text)


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xBFFF, 0x0107])
def test_warnings_are_success_with_a_reservation(status):
    assert is_warning(status)


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xC000, 0x0110, 0xFE00])
def test_success_and_failure_are_no_warnings(status):
    assert not is_warning(status)
