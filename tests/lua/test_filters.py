"""Filters: what scripts answer when they are asked, and what becomes of those that do not."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from scripting_support import make_event
from structlog.testing import capture_logs
from waiting import wait_until

from gateway.errors import FilterFailed
from gateway.model import Origin, OriginKind, Verdict
from gateway.ports import UNKNOWN_SOP_CLASS
from gateway.scripting.filters import ScriptFilters

FROM_DICOM = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.1.2.3")
FROM_REST = Origin(OriginKind.REST, remote_ip="10.1.2.4", username="anna")
KEPT = Verdict(keeps=True)
TRIVIAL = "function ReceivedInstanceFilter(dicom, origin, info) return true end"
REFUSING = "function ReceivedInstanceFilter(dicom, origin, info) return false end"


@pytest.fixture
def filters(site) -> Callable[..., ScriptFilters]:
    """filters(script, ...): the filters of a host that has loaded these scripts, a.lua, b.lua..."""

    def start(*sources: str, **settings: Any) -> ScriptFilters:
        for name, source in zip("abcdef", sources, strict=False):
            site.write(f"{name}.lua", source)
        site.start(**{"filter_timeout_s": 2, **settings})
        for name, _ in zip("abcdef", sources, strict=False):
            site.until_runs(f"{name}.lua")
        return site.host.filters

    return start


def received(
    filters: ScriptFilters,
    tags: Mapping[str, object] | None = None,
    origin: Origin = FROM_DICOM,
    **info: Any,
) -> Verdict:
    about = {"transfer_syntax_uid": "1.2.840.10008.1.2.1", "has_pixel_data": True, **info}
    return filters.received(tags or {"PatientName": "Doe"}, origin, **about)


def says(logs: list[Any]) -> list[str]:
    return [entry["says"] for entry in logs if entry["event"] == "script says"]


# --- who is asked, and what they are told ------------------------------------------------------


def test_without_a_filter_nobody_is_asked(filters):
    asked = filters("function OnStoredInstance(id) end")

    assert not asked.wants_received
    assert not asked.wants_requests
    assert not asked.wants_sending
    assert not asked.wants_associations
    assert received(asked) == KEPT


def test_a_receive_filter_gets_tags_origin_and_info(filters):
    asked = filters(
        "function ReceivedInstanceFilter(dicom, origin, info)"
        " print(dicom.PatientName, dicom.Absent, dicom.Items[1].CodeValue, origin.RequestOrigin,"
        " origin.RemoteAet, info.HasPixelData, info.TransferSyntaxUID) return true end"
    )

    with capture_logs() as logs:
        verdict = received(
            asked,
            {"PatientName": "Müller", "Items": [{"CodeValue": "X"}]},
            has_pixel_data=False,
        )

    assert asked.wants_received
    assert verdict == KEPT
    assert says(logs) == ["Müller, nil, X, DicomProtocol, MODALITY, false, 1.2.840.10008.1.2.1"]


def test_one_script_that_says_no_is_enough_and_those_after_it_are_not_asked(filters):
    asked = filters(TRIVIAL, REFUSING, TRIVIAL.replace("return", "print('asked') return"))

    with capture_logs() as logs:
        assert received(asked) == Verdict(keeps=False, script="b.lua")
    assert says(logs) == []


def test_a_status_other_than_0_discards_and_is_answered(filters):
    asked = filters(
        "function ReceivedCStoreInstanceFilter(dicom, origin, info) return dicom.Status end"
    )

    assert received(asked, {"Status": 0}) == KEPT
    assert received(asked, {"Status": 0xA700}) == Verdict(False, "a.lua", 0xA700)
    assert received(asked, {"Status": 0xA700}, FROM_REST) == KEPT  # no C-STORE


def test_an_http_filter_gets_method_uri_address_user_and_headers(filters):
    asked = filters(
        "function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)"
        " print(method, uri, ip, username, httpHeaders['x-token'], httpHeaders['X-Token'])"
        " return uri ~= '/no' end"
    )

    with capture_logs() as logs:
        assert asked.request("GET", "/instances", "10.0.0.1", "", {"x-token": b"s\xe9"})
        assert not asked.request("GET", "/no", "10.0.0.1", "anna", {})

    assert asked.wants_requests
    assert says(logs)[0] == "GET, /instances, 10.0.0.1, , s\ufffd, nil"


def test_a_sending_filter_gets_tags_and_destination(filters):
    asked = filters(
        "function OutgoingCStoreInstanceFilter(dicom, destination)"
        " return dicom.Modality == 'CT' and destination.RemoteAet == 'PACS'"
        " and destination.RemoteIp == 'pacs.example' end"
    )

    assert asked.wants_sending
    assert asked.sending({"Modality": "CT"}, aet="PACS", host="pacs.example")
    assert not asked.sending({"Modality": "MR"}, aet="PACS", host="pacs.example")


def test_an_association_is_asked_about_only_what_matters_to_it(filters):
    asked = filters(
        "function IsJpeg2000TransferSyntaxAccepted(aet, ip)"
        " return aet == 'A' and ip == '1.2.3.4' end\n"
        "function IsRleTransferSyntaxAccepted(aet, ip) return nil end\n"
        "function IsJpegTransferSyntaxAccepted(aet, ip) error('boom') end\n"
        "function IsUnknownSopClassAccepted(aet, ip) return true end\n"
        "function IsMpeg2TransferSyntaxAccepted(aet, ip) print('not proposed') return true end"
    )
    questions = {"jpeg2000", "rle", "jpeg", "jpeg_lossless", UNKNOWN_SOP_CLASS}

    with capture_logs() as logs:
        answers = asked.association("A", "1.2.3.4", questions)

    assert asked.wants_associations
    assert answers == {"jpeg2000": True, UNKNOWN_SOP_CLASS: True}
    assert says(logs) == []
    assert asked.association("B", "1.2.3.4", questions)["jpeg2000"] is False


def test_scripts_that_disagree_about_an_association_refuse(filters):
    accept = "function IsRleTransferSyntaxAccepted(aet, ip) return {} end"
    asked = filters(accept.format("true"), accept.format("false"), accept.format("nil"))

    assert asked.association("A", "1.2.3.4", {"rle"}) == {"rle": False}


def test_an_association_waits_no_longer_than_the_limit_for_all_its_questions(filters):
    hang = "function Is{}TransferSyntaxAccepted(aet, ip) while true do end end\n"
    asked = filters(
        "".join(hang.format(name) for name in ("Rle", "Jpeg", "Jpip", "Mpeg2", "Deflated")),
        filter_timeout_s=0.3,
    )
    began_s = time.monotonic()

    assert asked.association("A", "1", {"rle", "jpeg", "jpip", "mpeg2", "deflated"}) == {}
    assert time.monotonic() - began_s < 2


# --- filters that fail -------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["nil", "'false'", "0", "1", "{}", "2^60", "print"])
def test_an_answer_that_is_neither_true_nor_false_has_failed(filters, answer):
    asked = filters(f"function ReceivedInstanceFilter() return {answer} end")

    with pytest.raises(FilterFailed):
        received(asked)


@pytest.mark.parametrize("answer", ["nil", "true", "'42752'", "-1", "0x10000", "1.5", "0/0"])
def test_a_status_that_is_none_has_failed(filters, answer):
    asked = filters(f"function ReceivedCStoreInstanceFilter() return {answer} end")

    with pytest.raises(FilterFailed):
        received(asked)


def test_an_error_is_told_with_its_line_and_counted(filters, site):
    asked = filters("function ReceivedInstanceFilter()\n error('boom') return true end")

    with capture_logs() as logs, pytest.raises(FilterFailed, match=r"a\.lua:2: boom"):
        received(asked)

    assert [entry["callback"] for entry in logs if entry["event"] == "filter failed"] == [
        "ReceivedInstanceFilter"
    ]
    assert site.count("gateway_errors_total", kind="script-error") == 1
    with pytest.raises(FilterFailed):  # the runtime goes on
        received(asked)


def test_what_a_filter_says_of_a_patient_is_not_in_the_error(filters):
    asked = filters("function ReceivedInstanceFilter(dicom) return dicom.PatientName end")

    with capture_logs() as logs, pytest.raises(FilterFailed) as raised:
        received(asked, {"PatientName": "SECRET"})

    assert "SECRET" not in str(raised.value) + str(logs)


def test_a_filter_that_takes_too_long_is_ended_and_asked_again_in_a_new_runtime(filters):
    asked = filters(
        "function ReceivedInstanceFilter(dicom) while dicom.Hang do end return true end",
        filter_timeout_s=0.3,
    )

    with pytest.raises(FilterFailed, match=r"longer than its limit of 0\.3 s"):
        received(asked, {"Hang": "1"})
    assert received(asked) == KEPT


def test_a_filter_that_needs_too_much_memory_is_ended(filters):
    asked = filters(
        "function ReceivedInstanceFilter(dicom) if dicom.Bomb then local t = {}"
        " while true do t[#t + 1] = ('x'):rep(1e6) .. #t end end return true end",
        memory_mb=32,
    )

    with pytest.raises(FilterFailed, match="memory"):
        received(asked, {"Bomb": "1"})
    assert received(asked) == KEPT


def let_go(fifo: Path) -> None:
    """Have all who wait for a writer of the FIFO go on."""
    with suppress(OSError):  # nobody reads
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


def test_a_filter_that_hangs_in_a_c_function_is_given_up(filters, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    asked = filters(
        f"function ReceivedInstanceFilter(dicom) if dicom.Hang then io.open('{fifo}') end"
        " return true end",
        filter_timeout_s=1,
    )

    def hang(_: int) -> str:
        with pytest.raises(FilterFailed) as raised:
            received(asked, {"Hang": "1"})
        return str(raised.value)

    try:
        assert "given up" in hang(0)
        assert received(asked) == KEPT
        with ThreadPoolExecutor(4) as pool:
            assert all("given up" in problem for problem in pool.map(hang, range(4)))
        with pytest.raises(FilterFailed, match="threads hang"):
            while received(asked) == KEPT:  # by a runtime that was free all the time
                hang(0)
    finally:
        wait_until(lambda: let_go(fifo) or not any_of_filters())


def any_of_filters() -> list[threading.Thread]:
    """Threads of runtimes; by the end of that test, all of them hang."""
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("filter ") and thread.is_alive()
    ]


# --- primitives, and what else a filter may do ---------------------------------------------------


def test_a_filter_can_plan_nothing(filters):
    asked = filters(
        "function ReceivedInstanceFilter(dicom)"
        " local ok, problem = pcall(Forward, dicom.Id, 'archive') print(problem) return not ok end"
    )

    with capture_logs() as logs:
        assert received(asked) == KEPT
    assert "is only there while an event is handled" in says(logs)[0]


def test_filters_asked_at_the_same_time_have_runtimes_of_their_own(filters, tmp_path):
    """Each answers once all have begun."""
    begun = tmp_path / "begun"
    begun.mkdir()
    together = f"mktemp -p {begun}; until test $(ls {begun} | wc -l) = 8; do sleep 0.02; done"
    asked = filters(
        f"function ReceivedInstanceFilter() os.execute('{together}') return true end",
        filter_timeout_s=30,
    )

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: received(asked), range(8)))

    assert verdicts == [KEPT] * 8


def test_variables_stay_from_one_question_to_the_next(filters):
    asked = filters(
        "local count = 0\nfunction ReceivedInstanceFilter() count = count + 1 return count ~= 3 end"
    )

    assert [received(asked).keeps for _ in range(4)] == [True, True, False, True]


def test_what_the_legacy_set_does_in_initialize_it_does_once(site, tmp_path):
    """As in Orthanc, whose filters run in a second state, which never calls it."""
    path = tmp_path / "legacy.lua"
    path.write_text("n = 0 function Initialize() n = n + 1 print('begun') end\n" + TRIVIAL)
    with capture_logs() as logs:
        site.start(legacy=[path], filter_timeout_s=2)
        site.until_runs("LuaScripts")
        assert received(site.host.filters) == KEPT
    assert says(logs) == ["begun"]


def test_a_filter_does_not_wait_for_the_lane(filters, site, tmp_path):
    began = tmp_path / "began"
    asked = filters(
        f"function OnStoredInstance() os.execute('touch {began}; sleep 60') end\n" + TRIVIAL,
        timeout_s=60,
    )
    site.queue.add(make_event())
    wait_until(began.exists)
    began_s = time.monotonic()

    assert received(asked) == KEPT
    assert time.monotonic() - began_s < 20
    site.stop(0)


def test_filters_that_wait_for_others_are_in_nobody_s_way(filters, tmp_path):
    """What they wait for may have to ask the same filter: sixteen of them stood still so."""
    done = tmp_path / "done"
    asked = filters(
        "function ReceivedInstanceFilter(dicom)"
        f" if dicom.PatientName == 'waits' then os.execute('echo >> {tmp_path}/waiting;"
        f" until [ -e {done} ]; do sleep 0.02; done') end return true end",
        filter_timeout_s=60,
        timeout_s=60,
    )

    def lines() -> int:
        path = tmp_path / "waiting"
        return len(path.read_text()) if path.exists() else 0

    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(received, asked, {"PatientName": "waits"}) for _ in range(20)]
        wait_until(lambda: lines() == 20, 60)
        assert received(asked) == KEPT
        done.touch()
        assert [each.result() for each in waiting] == [KEPT] * 20


def test_too_many_questions_at_once_are_refused_after_a_while_and_not_for_ever(
    filters, monkeypatch
):
    monkeypatch.setattr("gateway.scripting.filters._MOST_OUTSIDE", 0)
    asked = filters(
        "function ReceivedInstanceFilter() os.execute('sleep 3') return true end",
        timeout_s=0.5,
        filter_timeout_s=1.5,
    )

    def ask(_: int) -> str:
        try:
            received(asked)
        except FilterFailed as failed:
            return str(failed)
        return ""

    began_s = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        failures = list(pool.map(ask, range(20)))

    assert time.monotonic() - began_s < 6
    assert sum("was free within 0.5 s" in failure for failure in failures) >= 4


# --- versions ------------------------------------------------------------------------------------


def test_a_new_version_takes_over_and_a_broken_one_does_not(filters, site):
    asked = filters(TRIVIAL)
    assert received(asked) == KEPT
    version = site.until_runs("a.lua")

    site.write("a.lua", REFUSING)
    site.until_runs("a.lua", other_than=version)
    assert not received(asked).keeps

    site.write("a.lua", "function ReceivedInstanceFilter(")
    site.until_fault("a.lua")
    assert received(asked) == Verdict(keeps=False, script="a.lua")


def test_a_script_that_is_removed_filters_no_more(filters, site):
    asked = filters(REFUSING)
    assert not received(asked).keeps

    (site.folder / "a.lua").unlink()
    wait_until(lambda: not asked.wants_received)

    assert received(asked) == KEPT


def test_a_version_without_the_filter_filters_no_more(filters, site):
    asked = filters(REFUSING)
    site.write("a.lua", "-- no filter any more")
    wait_until(lambda: not asked.wants_received)


def test_a_filter_that_has_never_loaded_refuses(filters, site):
    """It may be there to protect something."""
    site.write("b.lua", "function IncomingHttpRequestFilter(")
    asked = filters(TRIVIAL)
    site.until_fault("b.lua")

    assert asked.wants_requests
    with pytest.raises(FilterFailed, match=r"b\.lua"):
        asked.request("GET", "/", "::1", "", {})
    assert received(asked) == KEPT

    site.write("b.lua", "function IncomingHttpRequestFilter() return true end")
    site.until_runs("b.lua")
    assert asked.request("GET", "/", "::1", "", {})


def test_a_filter_whose_header_is_wrong_and_that_never_loaded_refuses(filters, site):
    body = "function IncomingHttpRequestFilter() return true end\n-- ReceivedInstanceFilter"
    site.write("b.lua", f"-- gateway: concurency=2\n{body}")
    with capture_logs() as logs:
        asked = filters(TRIVIAL)
        fault = site.until_fault("b.lua")

    assert "concurency" in fault
    with pytest.raises(FilterFailed, match=r"IncomingHttpRequestFilter of b\.lua.*concurency"):
        asked.request("GET", "/", "::1", "", {})
    assert received(asked) == KEPT
    assert [entry["refused"] for entry in logs if entry["event"] == "script not loaded"] == [
        "IncomingHttpRequestFilter"
    ]

    site.write("b.lua", f"-- gateway: concurrency=2\n{body}")
    site.until_runs("b.lua")
    assert asked.request("GET", "/", "::1", "", {})


def test_a_filter_in_a_module_of_a_script_whose_header_is_wrong_refuses(filters, site):
    site.write("lib/gate.lua", "function IncomingHttpRequestFilter() return true end")
    site.write("b.lua", "-- gateway: concurency=2\nrequire('lib.gate')")
    asked = filters(TRIVIAL)

    with pytest.raises(FilterFailed, match=r"b\.lua"):
        asked.request("GET", "/", "::1", "", {})


def test_a_header_that_becomes_wrong_leaves_the_last_good_filter_in_force(filters, site):
    asked = filters(REFUSING)
    site.write("a.lua", f"-- gateway: concurency=2\n{TRIVIAL}")
    site.until_fault("a.lua")

    assert received(asked) == Verdict(keeps=False, script="a.lua")


def test_a_script_that_cannot_be_read_stops_nothing_and_says_so(filters, site):
    os.mkfifo(site.folder / "b.lua")
    with capture_logs() as logs:
        asked = filters(TRIVIAL)
        fault = site.until_fault("b.lua")

    assert "UNFILTERED" in fault
    assert [fault] == [entry["reason"] for entry in logs if entry["event"] == "script not loaded"]
    assert received(asked) == KEPT
    assert not asked.wants_requests


def test_of_a_script_that_becomes_unreadable_filters_that_were_read_before_refuse(filters, site):
    site.write("b.lua", "-- gateway: concurency=2\nfunction IncomingHttpRequestFilter() end")
    asked = filters(TRIVIAL)
    fault = site.until_fault("b.lua")

    (site.folder / "b.lua").unlink()
    os.mkfifo(site.folder / ".b.lua")
    (site.folder / ".b.lua").rename(site.folder / "b.lua")
    wait_until(lambda: site.until_fault("b.lua") != fault)

    assert "only IncomingHttpRequestFilter are known" in site.until_fault("b.lua")
    with pytest.raises(FilterFailed, match="cannot be read"):
        asked.request("GET", "/", "::1", "", {})
    assert received(asked) == KEPT


def test_a_legacy_set_with_an_unreadable_file_refuses_what_the_others_filter(site, tmp_path):
    first, second = tmp_path / "first.lua", tmp_path / "second.lua"
    first.write_text(TRIVIAL)
    site.start(legacy=[first, second])

    with pytest.raises(FilterFailed, match=r"second\.lua"):
        received(site.host.filters)

    second.write_text("")
    site.write("wakes.lua", "-- a change of the folder has all files read again")
    site.until_runs("LuaScripts")
    assert received(site.host.filters) == KEPT


def test_while_scripts_load_at_the_start_questions_wait_for_them(site):
    site.write("a.lua", "os.execute('sleep 0.5')\n" + REFUSING)
    site.start()

    assert site.host.filters.wants_received
    assert not received(site.host.filters).keeps


def test_a_script_that_only_speaks_of_a_filter_has_none(site):
    site.write("a.lua", "print('ReceivedInstanceFilter')")
    site.start()

    assert received(site.host.filters) == KEPT
    site.until_runs("a.lua")
    wait_until(lambda: not site.host.filters.wants_received)


def test_the_legacy_set_has_one_state_for_what_is_received(site, tmp_path):
    first, second = tmp_path / "first.lua", tmp_path / "second.lua"
    first.write_text("count = 0 function ReceivedInstanceFilter() return false end")
    second.write_text(
        "function ReceivedInstanceFilter() count = count + 1 local mine = count"
        " os.execute('sleep 0.02') return mine == count end"
    )
    site.start(legacy=[first, second])

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: received(site.host.filters), range(8)))

    assert verdicts == [KEPT] * 8


def test_when_the_gateway_stops_filters_end(filters, site, tmp_path):
    began = tmp_path / "began"
    asked = filters(
        f"function ReceivedInstanceFilter() os.execute('touch {began}; sleep 60') return true end",
        filter_timeout_s=60,
    )
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(received(asked)))
    thread.start()
    wait_until(began.exists)

    site.stop(0.1)
    thread.join(10)

    assert verdicts == [KEPT]  # its command was killed, and it came to its end
    with pytest.raises(FilterFailed):
        received(asked)
