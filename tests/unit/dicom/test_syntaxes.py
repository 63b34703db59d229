"""The table of transfer syntaxes, held against pydicom's."""

import pytest
from pydicom.uid import UID, AllTransferSyntaxes, RLELossless
from pydicom.uid import UID_dictionary as KNOWN

from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import ALL, Family, TransferSyntax, UnknownTransferSyntax


def ids(syntax: TransferSyntax) -> str:
    return syntax.keyword


def test_every_active_syntax_that_pydicom_knows_is_in_the_table():
    assert {str(uid) for uid in AllTransferSyntaxes} <= {syntax.uid for syntax in ALL}


@pytest.mark.parametrize("syntax", [each for each in ALL if each.uid in KNOWN], ids=ids)
def test_name_and_properties_are_those_of_the_standard(syntax):
    known = UID(syntax.uid)
    assert known.is_transfer_syntax
    assert syntax.keyword == known.keyword
    assert syntax.is_implicit_vr == known.is_implicit_VR
    assert syntax.is_little_endian == known.is_little_endian
    assert syntax.is_deflated == known.is_deflated


@pytest.mark.parametrize("syntax", [UID(uid) for uid in AllTransferSyntaxes], ids=str)
def test_encapsulation_is_that_of_the_standard(syntax):
    assert syntaxes.lookup(syntax).is_encapsulated == syntax.is_encapsulated


@pytest.mark.parametrize("syntax", ALL, ids=ids)
def test_a_syntax_is_found_by_each_of_its_names_in_any_case(syntax):
    for name in (syntax.uid, syntax.keyword, syntax.short, syntax.keyword.upper()):
        assert syntaxes.lookup(f" {name} ") is syntax


@pytest.mark.parametrize("syntax", [each for each in ALL if "Near" not in each.keyword], ids=ids)
def test_what_is_called_lossless_is_not_lossy(syntax):
    if "Lossless" in syntax.keyword or "lossless" in syntax.short:
        assert not syntax.lossy


def test_no_two_syntaxes_share_a_name():
    """Else who asks for a lossless syntax by its short name could get a lossy one."""
    names = [name for each in ALL for name in (each.uid, each.keyword, each.short)]
    assert len(names) == len(set(names))


def test_htj2k_in_small_letters_is_the_lossless_one():
    assert syntaxes.lookup("htj2k").keyword == "HTJ2KLossless"
    assert syntaxes.lookup("HTJ2K").short == "htj2k-lossy"


def test_a_ladder_names_syntaxes_best_first_and_each_once():
    found = syntaxes.ladder("HTJ2KLossless, j2k,1.2.840.10008.1.2.4.80,j2k")
    assert [each.short for each in found] == ["htj2k", "j2k", "jpegls"]
    with pytest.raises(UnknownTransferSyntax, match="'jp3'"):
        syntaxes.ladder("j2k,jp3")


def test_an_unknown_name_is_an_error_that_repeats_it():
    with pytest.raises(UnknownTransferSyntax, match="jpeg3000"):
        syntaxes.lookup("jpeg3000")


def test_a_label_is_the_keyword_or_the_uid_itself():
    assert syntaxes.label(RLELossless) == "RLELossless"
    assert syntaxes.label("1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*"], {each.short for each in ALL}),
        ([], set()),
        (["j2k"], {"j2k"}),
        (["RLE*"], {"rle"}),
        (["1.2.840.10008.1.2.4.9?"], {"j2k", "j2k-lossy", "j2k-mc", "j2k-mc-lossy", "jpip",
                                     "jpip-deflated"}),
        (["HTJ2K*", "implicit"], {"htj2k", "htj2k-rpcl", "htj2k-lossy", "implicit"}),
    ],
)  # fmt: skip
def test_patterns_match_any_name(patterns, expected):
    assert {each.short for each in syntaxes.matching(patterns)} == expected


def test_the_seven_switches_cover_the_families_they_name():
    switched = {"deflated", "jpeg", "jpeg2000", "jpeg_lossless", "jpip", "mpeg2", "rle"}
    assert switched <= {family.value for family in Family}
    assert {each.family.value for each in ALL} >= switched
