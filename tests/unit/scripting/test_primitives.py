"""What primitives plan, as called from Lua."""

import pytest
from scripting_support import (
    INSTANCE_ID,
    OTHER_ID,
    load,
    make_event,
    on_stored_instance,
    said,
    steps_of,
)

from gateway.config.models import Destination
from gateway.errors import ScriptError
from gateway.model import Action, Step

J2K, HTJ2K, EXPLICIT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.1"
JPEG, J2K_LOSSY = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"


def error_of(body: str, **options) -> str:
    with pytest.raises(ScriptError) as raised:
        steps_of(body, **options)
    return str(raised.value)


def test_primitives_plan_steps_in_order_with_the_line_that_asked():
    steps = steps_of(
        "\nForward(instanceId, 'archive')\nDelete(instanceId)", destinations=["archive"]
    )

    assert steps == [
        Step(1, Action.FORWARD, INSTANCE_ID, destination="archive", line="test.lua:2"),
        Step(2, Action.DELETE, INSTANCE_ID, line="test.lua:3"),
    ]


def test_primitives_chain_on_the_result_of_a_transcoding():
    steps = steps_of("Delete(Forward(Transcode(instanceId, 'JPEG2000Lossless'), 'archive'))")

    options = {"ladder": [J2K], "replace": False, "on_failure": "refuse"}
    assert steps == [
        Step(1, Action.TRANSCODE, INSTANCE_ID, parameters=options, line="test.lua:1"),
        Step(2, Action.FORWARD, "", 1, "archive", line="test.lua:1"),
        Step(3, Action.DELETE, "", 1, line="test.lua:1"),
    ]


def test_a_transcoding_may_work_on_the_result_of_another():
    steps = steps_of("Transcode(Transcode(instanceId, 'explicit'), 'j2k')")

    assert [(step.subject, step.result_of) for step in steps] == [(INSTANCE_ID, None), ("", 1)]


@pytest.mark.parametrize("name", ["JPEG2000Lossless", "jpeg2000lossless", "j2k", J2K])
def test_a_syntax_goes_by_keyword_short_name_and_uid(name):
    assert steps_of(f"Transcode(instanceId, '{name}')")[0].parameters["ladder"] == [J2K]


def test_options_of_a_transcoding_reach_the_step():
    (step,) = steps_of(
        "Transcode(instanceId, 'j2k', {replace = true, on_failure = 'keep', verify = false})"
    )

    assert step.parameters == {
        "ladder": [J2K], "replace": True, "on_failure": "keep", "options": {"verify": False},
    }  # fmt: skip


def test_how_to_transcode_is_said_as_in_the_configuration():
    (step,) = steps_of(
        "Transcode(instanceId, 'jpeg, jpegls-near, j2k-lossy', {quality = 80, ratio = 10,"
        " max_error = 2, photometric = 'RGB', keep_uid = true, unused_bits = 'clear',"
        " measure = true, minimum_psnr_db = 40})"
    )

    assert step.parameters["options"] == {
        "quality": 80, "ratio": 10.0, "max_error": 2, "photometric": "RGB", "keep_uid": True,
        "unused_bits": "clear", "measure": True, "minimum_psnr_db": 40.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "syntax", ["'htj2k, j2k,explicit'", "transcode_ladder('HTJ2KLossless', 'J2K', 'explicit')"]
)
def test_a_ladder_is_a_text_or_what_transcode_ladder_makes_of_names(syntax):
    (step,) = steps_of(f"Transcode(instanceId, {syntax})")

    assert step.parameters["ladder"] == [HTJ2K, J2K, EXPLICIT]


def test_a_ladder_is_a_text_that_reads_well():
    words = said("print(transcode_ladder('JPEG2000Lossless', 'HTJ2K', ' j2k ', '*'))")

    assert words == ["j2k, htj2k-lossy, *"]


def test_a_ladder_can_be_made_where_no_event_is_handled():
    loaded = load(
        "local ladder = transcode_ladder('j2k', 'explicit')"
        " function OnStoredInstance(id) print(Transcode(id, ladder)) end"
    )
    (step,) = on_stored_instance(loaded, make_event(), {})

    assert step.parameters["ladder"] == [J2K, EXPLICIT]


def test_the_result_of_a_ladder_names_all_that_it_may_be():
    words = said("print(Transcode(instanceId, 'j2k, explicit'))")

    assert words == [f"{INSTANCE_ID} as JPEG2000Lossless or ExplicitVRLittleEndian #1"]


def test_a_forward_may_have_a_ladder_and_options_of_its_own():
    (step,) = steps_of(
        "Forward(instanceId, 'archive', {syntaxes = transcode_ladder('jpeg', 'j2k', '*'),"
        " quality = 75, calling_aet = 'ME'})"
    )

    assert step.parameters == {
        "ladder": [JPEG, J2K, "*"], "options": {"quality": 75}, "calling_aet": "ME",
    }  # fmt: skip


def teaching(*syntaxes: str) -> dict[str, Destination]:
    return {"teaching": Destination(aet="T", host="h", port=1, syntaxes=syntaxes)}


def test_a_rate_may_be_for_what_the_destination_lists():
    (step,) = steps_of(
        "Forward(instanceId, 'teaching', {quality = 75})", destinations=teaching("jpeg", "*")
    )

    assert step.parameters == {"options": {"quality": 75}}


@pytest.mark.parametrize("syntaxes", [("*",), ("j2k",), ("JPEG*",)])
def test_a_rate_that_nothing_listed_knows_is_an_error(syntaxes):
    error = error_of(
        "Forward(instanceId, 'teaching', {quality = 75})", destinations=teaching(*syntaxes)
    )

    assert "option quality is for JPEGBaseline8Bit, JPEGExtended12Bit, JPEGXL" in error


LOSSY_CALLS = [
    ("Transcode(instanceId, 'jpeg', {replace = true%s})", {}),
    ("Transcode(instanceId, 'j2k, jpeg', {replace = true%s})", {}),
    ("Transcode(instanceId, 'j2k-lossy', {replace = true, ratio = 8%s})", {}),
    ("Transcode(instanceId, 'j2k-lossy', {replace = true%s})", {"ratio": 8.0}),
]


@pytest.mark.parametrize(("call", "codecs"), LOSSY_CALLS)
def test_what_would_lose_something_does_not_take_the_place_of_the_original(call, codecs):
    error = error_of("\n" + call % "", codecs=codecs)

    assert error.startswith("test.lua:2: Transcode(id, syntax, options): option replace: JPEG")
    assert "leave replace out, or say keep_uid = true" in error


@pytest.mark.parametrize(("call", "codecs"), LOSSY_CALLS)
def test_it_does_under_the_same_uid_when_the_script_says_so(call, codecs):
    (step,) = steps_of(call % ", keep_uid = true", codecs=codecs)

    assert step.parameters["options"]["keep_uid"] is True


def test_it_does_under_the_same_uid_when_the_site_says_so():
    steps = steps_of("Transcode(instanceId, 'jpeg', {replace = true})", codecs={"keep_uid": True})

    assert len(steps) == 1


def test_a_syntax_that_is_filled_without_loss_may_take_the_place_of_the_original():
    assert len(steps_of("Transcode(instanceId, 'j2k-lossy', {replace = true})")) == 1


@pytest.mark.parametrize("third", ["{calling_aet = 'MY_AET'}", "'MY_AET'", "' MY_AET '"])
@pytest.mark.parametrize("primitive", ["Forward", "SendToModality"])
def test_a_forward_may_call_under_another_ae_title_as_an_option_or_as_orthanc_has_it(
    primitive, third
):
    (step,) = steps_of(f"{primitive}(instanceId, 'archive', {third})")

    assert step.parameters == {"calling_aet": "MY_AET"}


def test_another_instance_may_be_named_by_its_id():
    assert steps_of(f"Delete('{OTHER_ID}')")[0].subject == OTHER_ID


def test_a_result_reads_well_and_serves_as_any_string():
    words = said(
        "local r = Transcode(instanceId, 'j2k')"
        " print(r, 'kept: ' .. r, type(r), ({[r] = 'found'})[r], r == Forward(r, 'archive'))"
    )

    handle = f"{INSTANCE_ID} as JPEG2000Lossless #1"
    assert words == [f"{handle}, kept: {handle}, string, found, true"]


def test_delete_returns_nothing_to_go_on_with():
    assert said("print(Delete(instanceId))") == ["nil"]


def test_a_result_means_nothing_for_another_event():
    loaded = load(
        "local kept function OnStoredInstance(id)"
        " if kept then Delete(kept) else kept = Transcode(id, 'j2k') end end"
    )
    on_stored_instance(loaded, make_event(), {})

    with pytest.raises(ScriptError, match="is the result of a step of another event"):
        on_stored_instance(loaded, make_event(), {})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Forward(nil, 'archive')", "expected an instance id or the result of another primitive,"
         " got nil"),
        ("Forward(Delete(instanceId), 'archive')", "got nil"),
        ("Delete(7)", "got 7"),
        ("Delete({})", "Delete: the first argument must not be a table"),
        ("Delete(print)", "Delete: the first argument must not be a function"),
        ("Delete('')", "'' means the result of the step before"),
        ("Delete('66A662CE')", "'66A662CE' is not an instance id"),
        ("Delete(instanceId, 'archive')", "takes nothing but an instance id"),
        ("Transcode(instanceId, 'JPEG3000')", "no transfer syntax is called 'JPEG3000'; known are"
         " ImplicitVRLittleEndian, "),
        ("Transcode(instanceId)", "expected a transfer syntax, got nil"),
        ("Transcode(instanceId, 'j2k', {qualty = 9})", "unknown option 'qualty'; known are"
         " replace, on_failure, verify, quality, ratio, max_error, photometric, keep_uid,"),
        ("Transcode(instanceId, 'jpeg', {quality = 101})", "option quality must be a whole number"
         " from 1 up to 100, not 101"),
        ("Transcode(instanceId, 'jpeg', {quality = 80.5})", "from 1 up to 100, not 80.5"),
        ("Transcode(instanceId, 'jpeg', {quality = '80'})", "from 1 up to 100, not '80'"),
        ("Transcode(instanceId, 'jpeg', {quality = true})", "from 1 up to 100, not true"),
        ("Transcode(instanceId, 'j2k-lossy', {ratio = 1})", "option ratio must be a number above 1,"
         " not 1"),
        ("Transcode(instanceId, 'jpeg', {photometric = 'CMYK'})", 'photometric must be "RGB" or'),
        ("Transcode(instanceId, 'jpeg', {unused_bits = 'keep'})", 'must be "refuse" or "clear",'
         " not 'keep'"),
        ("Transcode(instanceId, 'j2k, explicit', {quality = 80})", "option quality is for"
         " JPEGBaseline8Bit, JPEGExtended12Bit, JPEGXL: none of them is asked for"),
        ("Transcode(instanceId, 'jpeg', {ratio = 8})", "option ratio is for JPEG2000, HTJ2K"),
        ("Transcode(instanceId, 'j2k,*')", "'*', as stored, is for Forward only"),
        ("Transcode(instanceId, 'j2k,,explicit')", "no transfer syntax is called ''"),
        ("Forward(instanceId, 'pacs', {syntaxes = 'jpg'})", "no transfer syntax is called 'jpg'"),
        ("Forward(instanceId, 'pacs', {syntaxes = 5})", "option syntaxes must be a transfer syntax"
         " or a ladder, not 5"),
        ("Forward(instanceId, 'pacs', {syntaxes = 'j2k', quality = 5})", "option quality is for"),
        ("transcode_ladder('j2k', 'jpg')", "no transfer syntax is called 'jpg'"),
        ("transcode_ladder()", "expected a transfer syntax, got nil"),
        ("transcode_ladder('j2k', 7)", "expected a transfer syntax, got 7"),
        ("transcode_ladder({'j2k'})", "transcode_ladder: a transfer syntax must not be a table"),
        ("Transcode(instanceId, 'j2k', {replace = 'yes'})", "option replace must be true or"
         " false, not 'yes'"),
        ("Transcode(instanceId, 'j2k', {on_failure = 'ignore'})", "option on_failure must be"
         " 'refuse' or 'keep', not 'ignore'"),
        ("Transcode(instanceId, 'j2k', true)", "expected a table of options, got true"),
        ("Transcode(instanceId, 'j2k', {replace = {}})", "option replace must not be a table"),
        ("Transcode(instanceId, 'j2k', {'replace'})", "unknown option '1'"),
        ("Forward(instanceId, 'archvie')", "no destination is called 'archvie'; known are"
         " archive, pacs"),
        ("Forward(instanceId)", "expected the name of a destination, got nil"),
        ("Forward(instanceId, 'pacs', {calling_aet = 'A TITLE THAT IS TOO LONG'})", "option"
         " calling_aet must be an AE title"),
        ("Forward(instanceId, 'pacs', {calling_aet = 5})", "must be an AE title"),
        ("SendToModality(instanceId, 'pacs', '')", "must be an AE title"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_an_error_at_its_line_that_says_what_would_be_right(call, message):
    error = error_of(f"\n{call}", destinations=["pacs", "archive"])

    assert error.startswith("test.lua:2: ")
    assert call.partition("(")[0] in error
    assert message in error


def test_an_error_of_a_primitive_can_be_caught_and_the_plan_goes_on():
    steps = steps_of("pcall(Forward, instanceId, 'nowhere') Delete(instanceId)")

    assert [step.action for step in steps] == [Action.DELETE]


def test_a_forward_without_any_destination_says_so():
    assert "the configuration has no [destinations]" in error_of(
        "Forward(instanceId, 'archive')", destinations=[]
    )


@pytest.mark.parametrize("where", ["", "function Initialize()"])
def test_outside_of_an_event_nothing_can_be_planned(where):
    with pytest.raises(ScriptError, match=r"test.lua:2: Delete\(id\) is only there while an event"):
        load(f"{where}\nDelete('{OTHER_ID}')\n{'end' if where else ''}")


def test_a_tail_call_still_names_a_line_of_the_script():
    steps = steps_of("\n\nreturn Delete(instanceId)")

    assert steps[0].line == "test.lua:1"


def test_a_primitive_called_in_a_module_names_the_line_of_the_module():
    steps = steps_of(
        "require('lib.drop').it(instanceId)",
        modules={"lib/drop.lua": "local m = {}\nfunction m.it(id)\n  Delete(id)\nend\nreturn m"},
    )

    assert steps[0].line == "lib/drop.lua:3"


def test_a_function_that_does_not_exist_is_named_with_file_and_line():
    error = error_of("\nPrintToLog('x')")

    assert error == "test.lua:2: attempt to call global 'PrintToLog' (a nil value)"
