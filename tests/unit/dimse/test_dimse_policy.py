"""Who may associate, and which of the proposed syntaxes are accepted."""

import pytest

from gateway.config.models import Dicom
from gateway.dicom import syntaxes
from gateway.dimse.policy import (
    Accept,
    Policy,
    Reject,
    Service,
    accepted_contexts,
    accepted_syntaxes,
    judge,
    rank,
    service_of,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid
J2K = syntaxes.JPEG2000_LOSSLESS.uid
RLE, JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"
BOTH = frozenset({"echo", "store"})


def policy(**settings: object) -> Policy:
    return Policy.of(Dicom.model_validate(settings))


def verdict(settings: dict, *, calling="CT1", called="GATEWAY", ip="10.1.2.3", count=0):
    return judge(
        policy(**settings),
        calling_aet=calling,
        called_aet=called,
        remote_ip=ip,
        open_associations=count,
    )


def codes(rejected: object) -> tuple[int, int, int]:
    assert isinstance(rejected, Reject)
    return rejected.result, rejected.source, rejected.reason


# --- admission -----------------------------------------------------------------------------------


def test_everybody_may_call_when_nothing_is_configured():
    assert verdict({}) == Accept(BOTH)


def test_unknown_callers_may_be_let_in_for_echo_alone():
    settings = {"unknown_callers_may": ["echo"], "callers": [{"aet": "CT1"}]}
    assert verdict(settings, calling="OTHER") == Accept(frozenset({"echo"}))
    assert verdict(settings) == Accept(BOTH)


@pytest.mark.parametrize("ignore_case", [True, False])
def test_the_case_of_titles_counts_unless_it_is_to_be_ignored(ignore_case):
    settings = {
        "ignore_case_of_aets": ignore_case, "check_called_aet": True,
        "allow_unknown_callers": False, "callers": [{"aet": "ct1"}],
    }  # fmt: skip
    accepted = verdict(settings, called="gateway", calling="CT1") == Accept(BOTH)
    assert accepted is ignore_case


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        ({"check_called_aet": True}, {"called": "OTHER"}, (1, 1, 7)),
        ({"allow_unknown_callers": False}, {}, (1, 1, 3)),
        ({"callers": [{"aet": "CT1", "networks": ["192.168.0.0/16"]}]}, {}, (1, 1, 3)),
        ({"networks": ["192.168.0.0/16"]}, {}, (1, 1, 1)),
        ({"maximum_associations": 3}, {"count": 3}, (2, 3, 2)),
    ],
    ids=["called AE", "calling AE", "address of the AE", "address", "too many"],
)
def test_a_refusal_has_the_reason_of_the_standard(settings, request_, expected):
    assert codes(verdict(settings, **request_)) == expected


@pytest.mark.parametrize(
    ("settings", "request_"),
    [
        ({"check_called_aet": False}, {"called": "OTHER"}),
        ({"check_called_aet": True}, {}),
        ({"networks": ["10.0.0.0/8"]}, {}),
        ({"networks": ["10.0.0.0/8"]}, {"ip": "::ffff:10.1.2.3"}),
        ({"networks": ["fd00::/8"]}, {"ip": "fd00::1"}),
        ({"callers": [{"aet": "CT1"}], "allow_unknown_callers": False}, {}),
        ({"callers": [{"aet": "OTHER"}]}, {}),
        ({"maximum_associations": 3}, {"count": 2}),
    ],
)
def test_who_fits_the_configuration_is_welcome(settings, request_):
    assert verdict(settings, **request_) == Accept(BOTH)


def test_a_caller_may_do_what_its_matching_entries_allow_together():
    callers = [
        {"aet": "CT1", "allow": ["echo"]},
        {"aet": "CT1", "allow": ["store"], "networks": ["10.0.0.0/8"]},
    ]
    assert verdict({"callers": callers}) == Accept(BOTH)
    assert verdict({"callers": callers}, ip="11.0.0.1") == Accept(frozenset({"echo"}))


# --- syntaxes ------------------------------------------------------------------------------------


def test_every_syntax_of_the_standard_is_accepted_by_default():
    assert accepted_syntaxes(Dicom()) == {syntax.uid for syntax in syntaxes.ALL}


@pytest.mark.parametrize(
    ("switch", "gone", "stays"),
    [
        ("deflated", "deflated", "deflated-frames"),
        ("jpeg", "jpeg12", "jpeg-lossless"),
        ("jpeg2000", "htj2k", "jpip-htj2k"),
        ("jpeg_lossless", "jpeg-lossless-any", "jpegls"),
        ("jpip", "jpip-deflated", "j2k"),
        ("mpeg2", "mpeg2-high", "mpeg4"),
        ("rle", "rle", "jpeg"),
    ],
)
def test_a_switch_turns_off_its_own_family_only(switch, gone, stays):
    accepted = accepted_syntaxes(Dicom.model_validate({"syntaxes": {switch: False}}))
    assert syntaxes.lookup(gone).uid not in accepted
    assert syntaxes.lookup(stays).uid in accepted


def test_patterns_narrow_what_the_switches_leave():
    settings = {"syntaxes": {"accept": ["JPEG2000*", "explicit"], "jpeg2000": True}}
    accepted = accepted_syntaxes(Dicom.model_validate(settings))
    assert {J2K, EXPLICIT} <= accepted
    assert not {IMPLICIT, RLE, JPEG} & accepted


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [
        ([IMPLICIT, EXPLICIT], [EXPLICIT, IMPLICIT]),
        ([J2K, EXPLICIT, IMPLICIT], [J2K, EXPLICIT, IMPLICIT]),
        ([EXPLICIT, J2K], [EXPLICIT, J2K]),
        ([IMPLICIT, J2K, EXPLICIT], [EXPLICIT, IMPLICIT, J2K]),
        ([JPEG, IMPLICIT], [IMPLICIT, JPEG]),
        ([JPEG], [JPEG]),
        ([RLE, RLE, J2K], [RLE, J2K]),
        (["1.2.3.4"], []),
        ([], []),
    ],
)
def test_the_sender_s_order_counts_except_for_lossy_and_implicit(proposed, expected):
    assert list(rank(proposed, accepted_syntaxes(Dicom()))) == expected


# --- SOP classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uid", "service"),
    [
        (VERIFICATION, Service.ECHO),
        (CT, Service.STORE),
        ("1.2.840.10008.5.1.4.1.1.66.7", Service.STORE),  # newer than pydicom's dictionary
        ("1.2.840.10008.5.1.4.1.1.6", Service.STORE),  # retired ultrasound
        ("1.2.840.10008.5.1.4.38.1", Service.STORE),  # hanging protocol
        ("1.2.840.10008.5.1.4.1.2.2.1", Service.OTHER),  # study root find
        ("1.2.840.10008.1.20.1", Service.OTHER),  # storage commitment
        ("1.2.840.10008.1.3.10", Service.OTHER),  # DICOMDIR
        ("1.2.840.10008.4.2", Service.OTHER),  # the storage service class itself
        (EXPLICIT, Service.OTHER),
        ("1.2.826.0.1.3680043.9.9999.1", Service.UNKNOWN),
    ],
)
def test_what_a_sop_class_is_for(uid, service):
    assert service_of(uid) is service


def test_contexts_are_accepted_by_right_and_by_syntax():
    offered = [
        (CT, [IMPLICIT, EXPLICIT]),
        (CT, [J2K]),
        (VERIFICATION, [IMPLICIT]),
        ("1.2.3", [J2K]),
    ]
    assert accepted_contexts(policy(), BOTH, offered) == {
        CT: (EXPLICIT, IMPLICIT, J2K),
        VERIFICATION: (IMPLICIT,),
    }
    assert accepted_contexts(policy(), frozenset({"echo"}), offered) == {VERIFICATION: (IMPLICIT,)}


def test_unknown_classes_are_accepted_as_storage_when_wanted():
    offered = [("1.2.3", [J2K]), ("1.2.840.10008.5.1.4.1.2.2.1", [IMPLICIT])]
    liberal = policy(accept_unknown_sop_classes=True)
    assert accepted_contexts(liberal, BOTH, offered) == {"1.2.3": (J2K,)}
    assert accepted_contexts(liberal, frozenset({"echo"}), offered) == {}


def test_echo_is_possible_whatever_syntaxes_are_accepted_for_images():
    narrow = policy(syntaxes={"accept": ["j2k"]})
    offered = [(VERIFICATION, [IMPLICIT]), (CT, [IMPLICIT])]
    assert accepted_contexts(narrow, BOTH, offered) == {VERIFICATION: (IMPLICIT,), CT: ()}
