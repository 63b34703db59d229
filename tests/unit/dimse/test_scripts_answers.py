"""What becomes of the policy when scripts answer what a peer may propose."""

import pytest
from dimse_support import CT, EXPLICIT, IMPLICIT, J2K

from gateway.config.models import Dicom
from gateway.dicom import syntaxes
from gateway.dimse.policy import Policy, Service, questions, with_answers
from gateway.ports import UNKNOWN_SOP_CLASS

RLE, JPEG_LS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"
UNKNOWN = "1.2.826.0.1.3680043.10.99"


def policy(**settings: object) -> Policy:
    return Policy.of(Dicom.model_validate(settings))


@pytest.mark.parametrize(
    ("proposed", "asked"),
    [
        ([(CT, [EXPLICIT, IMPLICIT])], set()),
        ([(CT, [J2K]), (CT, [RLE])], {"jpeg2000", "rle"}),
        ([(CT, [JPEG_LS])], set()),  # it has no switch
        ([(UNKNOWN, [EXPLICIT])], {UNKNOWN_SOP_CLASS}),
        ([(CT, ["1.2.3.4"])], set()),
        ([], set()),
    ],
)
def test_scripts_are_asked_about_what_is_proposed_and_has_a_switch(proposed, asked):
    assert questions(proposed) == asked


def test_without_answers_the_switches_stand():
    given = policy(syntaxes={"rle": False})

    assert with_answers(given, {}) == given


def test_an_answer_takes_the_place_of_a_switch_and_of_no_other():
    given = policy(syntaxes={"rle": False})

    answered = with_answers(given, {"rle": True, "jpeg2000": False})

    assert RLE in answered.transfer_syntaxes
    families = {syntaxes.by_uid(uid).family for uid in answered.transfer_syntaxes}
    assert "jpeg2000" not in families
    assert {"native", "jpeg", "jpeg_ls"} <= families
    assert RLE not in given.transfer_syntaxes


def test_what_the_configuration_does_not_name_is_not_accepted_in_any_case():
    given = policy(syntaxes={"accept": ["ExplicitVRLittleEndian", "RLELossless"], "rle": False})

    answered = with_answers(given, {"rle": True, "jpeg2000": True})

    assert answered.transfer_syntaxes == {EXPLICIT, RLE}


@pytest.mark.parametrize("answer", [True, False])
def test_unknown_sop_classes_are_accepted_as_scripts_say(answer):
    given = policy(accept_unknown_sop_classes=not answer)

    answered = with_answers(given, {UNKNOWN_SOP_CLASS: answer})

    assert answered.accepts_class(UNKNOWN, frozenset({Service.STORE})) is answer
    assert answered.accepts_class(CT, frozenset({Service.STORE}))
