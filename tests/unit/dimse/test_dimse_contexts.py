"""What is proposed to a destination, and what is sent of what it accepts."""

import pytest

from gateway.dicom import syntaxes
from gateway.dimse.contexts import Context, choose_syntax, propose, rungs
from gateway.errors import NoAcceptableSyntax

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid
J2K, RLE = syntaxes.JPEG2000_LOSSLESS.uid, "1.2.840.10008.1.2.5"


def test_as_stored_allows_the_native_syntaxes_last():
    assert rungs(["*"], J2K) == (J2K, EXPLICIT, IMPLICIT)
    assert rungs(["*"], IMPLICIT) == (IMPLICIT, EXPLICIT)


def test_a_ladder_of_names_allows_only_those():
    assert rungs(["j2k", "implicit"], RLE) == (J2K, IMPLICIT)


def test_wildcards_stand_for_several_rungs():
    assert set(rungs(["JPEG2000MC*"], RLE)) == {
        syntaxes.lookup("j2k-mc").uid,
        syntaxes.lookup("j2k-mc-lossy").uid,
    }


def test_each_syntax_is_proposed_in_a_context_of_its_own():
    assert propose([(CT, J2K)], ["*"]) == (
        Context(CT, J2K),
        Context(CT, EXPLICIT),
        Context(CT, IMPLICIT),
    )


def test_nothing_is_proposed_twice():
    assert len(propose([(CT, J2K), (CT, J2K), (CT, RLE)], ["*", "rle"])) == 4


def test_a_syntax_that_the_ladder_excludes_is_not_proposed():
    assert propose([(CT, J2K)], ["rle"]) == (Context(CT, RLE),)


def test_of_too_many_contexts_every_class_keeps_the_important_ones():
    classes = [f"1.2.3.{number}" for number in range(40)]
    proposed = propose([(uid, J2K) for uid in classes], ["*", "JPEG*", "rle"])
    assert len(proposed) == 128
    for syntax in (J2K, EXPLICIT, IMPLICIT):
        assert {c.sop_class_uid for c in proposed if c.transfer_syntax_uid == syntax} == set(
            classes
        )


@pytest.mark.parametrize(
    ("stored", "accepted", "ladder", "expected"),
    [
        (J2K, {J2K, EXPLICIT}, ["*"], J2K),
        (J2K, {IMPLICIT, EXPLICIT}, ["*"], EXPLICIT),
        (RLE, {J2K, EXPLICIT, RLE}, ["j2k", "*"], J2K),
        (RLE, {EXPLICIT, RLE}, ["j2k", "*"], RLE),
        (EXPLICIT, {IMPLICIT}, ["*"], IMPLICIT),
    ],
)
def test_the_best_rung_that_the_peer_takes_is_chosen(stored, accepted, ladder, expected):
    assert choose_syntax(stored, frozenset(accepted), ladder) == expected


def test_nothing_in_common_is_said_with_what_each_side_wants():
    with pytest.raises(NoAcceptableSyntax, match=r"RLELossless.*ExplicitVR.*JPEG2000Lossless"):
        choose_syntax(RLE, frozenset({EXPLICIT}), ["j2k"])
