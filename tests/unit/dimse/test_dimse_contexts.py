"""What is proposed to a destination, and what is sent of what it accepts."""

import pytest

from gateway.dicom import syntaxes
from gateway.dimse.contexts import Choice, Context, Need, choose, propose, rungs
from gateway.errors import NoAcceptableSyntax

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid
J2K, RLE = syntaxes.JPEG2000_LOSSLESS.uid, "1.2.840.10008.1.2.5"
JPEG, HTJ2K = syntaxes.lookup("jpeg").uid, syntaxes.lookup("htj2k").uid


def need(stored: str, *ladder: str, sop_class: str = CT) -> Need:
    return Need(sop_class, stored, ladder)


def test_as_stored_allows_the_native_syntaxes_last():
    assert rungs(["*"], J2K) == (J2K, EXPLICIT, IMPLICIT)
    assert rungs(["*"], IMPLICIT) == (IMPLICIT, EXPLICIT)


def test_a_ladder_of_names_allows_only_those():
    assert rungs(["j2k", "implicit"], RLE) == (J2K, IMPLICIT)


def test_a_short_name_means_one_syntax():
    """HTJ2K is the keyword of another, which may be lossy."""
    assert rungs(["htj2k"], RLE) == (HTJ2K,)


def test_wildcards_stand_for_several_rungs():
    assert rungs(["HTJ2KLossless*"], RLE) == (HTJ2K, syntaxes.lookup("htj2k-rpcl").uid)


def test_a_wildcard_lets_nothing_be_lost():
    lossy = {syntax.uid for syntax in syntaxes.ALL if syntax.lossy}
    assert not lossy & set(rungs(["JPEG*", "*J2K*"], RLE))


def test_what_is_stored_in_a_lossy_syntax_may_go_as_it_is_by_a_wildcard():
    assert rungs(["JPEG*"], JPEG)[0] == JPEG


def test_a_lossy_syntax_is_allowed_when_it_is_named():
    assert rungs(["jpeg", "*"], RLE) == (JPEG, RLE, EXPLICIT, IMPLICIT)


def test_each_syntax_is_proposed_in_a_context_of_its_own():
    assert propose([need(J2K, "*")]) == (
        Context(CT, J2K),
        Context(CT, EXPLICIT),
        Context(CT, IMPLICIT),
    )


def test_nothing_is_proposed_twice():
    assert len(propose([need(J2K, "*", "rle"), need(RLE, "*", "rle")])) == 4


def test_a_syntax_that_the_ladder_excludes_is_not_proposed():
    assert propose([need(J2K, "rle")]) == (Context(CT, RLE),)


def test_what_one_sending_asks_for_is_proposed_beside_what_the_others_need():
    assert set(propose([need(J2K, "j2k"), need(J2K, JPEG)])) == {
        Context(CT, J2K),
        Context(CT, JPEG),
    }


def test_of_too_many_contexts_every_class_keeps_the_important_ones():
    classes = [f"1.2.3.{number}" for number in range(40)]
    proposed = propose([need(J2K, "*", "JPEG*", "rle", sop_class=uid) for uid in classes])
    assert len(proposed) == 128
    for syntax in (J2K, EXPLICIT, IMPLICIT):
        assert {c.sop_class_uid for c in proposed if c.transfer_syntax_uid == syntax} == set(
            classes
        )


@pytest.mark.parametrize(
    ("stored", "accepted", "ladder", "expected"),
    [
        (J2K, {J2K, EXPLICIT}, ["*"], Choice((), True)),
        (J2K, {IMPLICIT, EXPLICIT}, ["*"], Choice((EXPLICIT, IMPLICIT), False)),
        (RLE, {J2K, EXPLICIT, RLE}, ["j2k", "*"], Choice((J2K,), True)),
        (RLE, {EXPLICIT, RLE}, ["j2k", "*"], Choice((), True)),
        (EXPLICIT, {IMPLICIT}, ["*"], Choice((IMPLICIT,), False)),
        (RLE, {HTJ2K, J2K, RLE, EXPLICIT}, ["htj2k", "j2k", "rle", "explicit"],
         Choice((HTJ2K, J2K), True)),
        (RLE, {J2K, EXPLICIT, JPEG}, ["htj2k", "j2k", "explicit"], Choice((J2K, EXPLICIT), False)),
    ],
)  # fmt: skip
def test_every_rung_that_the_peer_takes_is_tried_down_to_what_is_stored(
    stored, accepted, ladder, expected
):
    assert choose(need(stored, *ladder), frozenset(accepted)) == expected


def test_nothing_in_common_is_said_with_what_each_side_wants():
    with pytest.raises(NoAcceptableSyntax, match=r"RLELossless.*ExplicitVR.*JPEG2000Lossless"):
        choose(need(RLE, "j2k"), frozenset({EXPLICIT}))
