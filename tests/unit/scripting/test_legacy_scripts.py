"""What is said of legacy scripts before they run, each with the mistake that somebody made."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.models import Scripts
from gateway.scripting.legacy.examination import Examination, Used, examine
from gateway.scripting.legacy.findings import Finding, Here, Severity
from gateway.scripting.legacy.reading import read

NAMES = frozenset(
    {
        "_G", "CallSystem", "Delete", "DumpJson", "Forward", "HttpPost", "ModifyInstance",
        "ParseJson", "PrintRecursive", "RestApiDelete", "RestApiGet", "RestApiPost", "RestApiPut",
        "SendToModality", "SendToPeer", "Transcode", "error", "io", "io.open", "io.popen",
        "ipairs", "math", "os", "os.date", "os.execute", "os.getenv", "package", "package.path",
        "pairs", "pcall", "print", "require", "string", "string.format", "string.match", "table",
        "table.insert", "table.unpack", "tostring", "type", "unpack",
    }
)  # fmt: skip
ROUTES: Mapping[tuple[str, str], str] = {
    ("GET", "/instances/x"): "", ("GET", "/instances/x/file"): "", ("GET", "/studies/x"): "",
    ("POST", "/instances"): "", ("POST", "/instances/x/modify"): "", ("GET", "/jobs/x"): "",
    ("POST", "/modalities/x/store"): "", ("POST", "/modalities/x/query"): "queries",
    ("POST", "/modalities/pacs/store"): "", ("GET", "/instances/x/preview"): "rendering",
    ("DELETE", "/series/x"): "", ("PUT", "/studies/x/labels/x"): "", ("GET", "/tools/now"): "",
}  # fmt: skip


def missing(method: str, path: str) -> str | None:
    return ROUTES.get((method, path.rstrip("/")))


HERE = Here(NAMES, missing)
CONFIGURED = Here(NAMES, missing, modalities=("pacs",), peers=("twin",))


@pytest.fixture
def look(tmp_path):
    def looked(*scripts: str, here: Here = HERE) -> Examination:
        paths = [tmp_path / f"{letter}.lua" for letter, _ in zip("abc", scripts, strict=False)]
        for path, text in zip(paths, scripts, strict=True):
            path.write_text(text)
        return examine(paths, Scripts(), lambda lua: here)

    return looked


def on_stored(body: str) -> str:
    return f"function OnStoredInstance(instanceId, tags, metadata, origin)\n{body}\nend"


BREAKS = {
    "print to a log that never was": (
        on_stored("PrintToLog('got it')"), "a.lua:2", "no function PrintToLog", "print(...)"),
    "a system log": (on_stored("SystemLog(1)"), "a.lua:2", "never was in Orthanc", "print(...)"),
    "a misspelt function": (
        on_stored("SendToModalty(instanceId, 'pacs')"), "a.lua:2", "SendToModalty",
        "is SendToModality meant?"),
    "a misspelt member": (on_stored("os.excute('x')"), "a.lua:2", "os.excute", "os.execute"),
    "the end of the process": (on_stored("os.exit(1)"), "a.lua:2", "os.exit is closed", "return"),
    "syntax": (on_stored("if x thn end"), "a.lua:2", "then", ""),
    "a global table that nobody made": (
        on_stored("settings.pacs = 1"), "a.lua:2", "the global settings is set nowhere", ""),
    "a route that is not offered yet": (
        on_stored("RestApiGet('/instances/' .. instanceId .. '/preview')"), "a.lua:2",
        "GET /instances/.../preview: rendering is not offered yet", ""),
    "a query of a modality": (
        "local name = 'pacs'\nfunction OnHeartBeat() RestApiPost('/modalities/' .. name .."
        " '/query', '{}') end", "a.lua:2", "queries is not offered", ""),
    "a route that does not exist": (
        on_stored("RestApiPost('/instances/' .. instanceId .. '/tagz', '')"), "a.lua:2",
        "no route POST /instances/.../tagz", ""),
    "a URI without a slash": (
        on_stored("RestApiGet('instances/' .. instanceId)"), "a.lua:2", "does not begin with /",
        ""),
    "a route by pcall": (
        on_stored("pcall(RestApiGet, '/nothing', false)"), "a.lua:2", "no route GET /nothing", ""),
    "a module that is not there": (
        "local socket = require 'socket'", "a.lua:1", "'socket' is not found", "C libraries"),
    "a filter of queries": (
        "function IncomingFindRequestFilter(q, o) return q end", "a.lua:1", "not called yet", ""),
    "a function of a newer Orthanc": (
        on_stored("SetStableStatus(instanceId, true)"), "a.lua:2", "is a function of Orthanc", ""),
    "an unknown modality": (
        on_stored("SendToModality(instanceId, 'pax')"), "a.lua:2", "no modality is called 'pax'",
        "the configuration has pacs"),
    "an unknown modality in a constant": (
        "TARGET = 'pax'\n" + on_stored("Delete(SendToModality(instanceId, TARGET))"), "a.lua:3",
        "no modality is called 'pax'", ""),
    "an unknown modality in a route": (
        on_stored("RestApiPost('/modalities/pax/store', instanceId)"), "a.lua:2",
        "no modality is called 'pax'", ""),
    "an unknown peer": (
        on_stored("SendToPeer(instanceId, 'other')"), "a.lua:2", "no peer is called 'other'", ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BREAKS)
def test_what_would_break_is_told_with_its_line(look, mistake):
    source, where, problem, remedy = BREAKS[mistake]
    routes = {**ROUTES, ("POST", "/modalities/pax/store"): "",
              ("POST", "/modalities/pacs/query"): "queries"}  # fmt: skip
    here = Here(NAMES, lambda m, p: routes.get((m, p)), ("pacs",), ("twin",))

    found = look(source, here=here)

    assert found.would_break
    assert any(
        finding.severity is Severity.BREAKS
        and finding.where == where
        and problem in finding.problem
        and remedy in finding.remedy
        for finding in found.findings
    ), found.findings


OTHERWISE = {
    "a misspelt tag": (
        on_stored("print(tags.PatientId)"), "differs", "a.lua:2", "tags.PatientID is meant"),
    "a misspelt tag under another name": (
        "function OnStoredInstance(id, t) print(t['StudyDescripTion']) end", "differs", "a.lua:1",
        "tags.StudyDescription is meant"),
    "a misspelt origin": (
        on_stored("print(origin.RemoteAET)"), "differs", "a.lua:2", "origin.RemoteAet is meant"),
    "an origin that is not there": (
        on_stored("print(origin.Hospital)"), "differs", "a.lua:2", "RequestOrigin"),
    "misspelt metadata": (
        on_stored("print(metadata.RemoteAet)"), "differs", "a.lua:2", "metadata.RemoteAET"),
    "a tag of the patient when a study is stable": (
        "function OnStableStudy(id, tags) print(tags.PatientID) end", "differs", "a.lua:1", ""),
    "a callback that nobody calls": (
        "function OnStoredInstances(id) end", "differs", "a.lua:1", "is OnStoredInstance meant?"),
    "a global that nobody sets": (on_stored("print(conter)"), "differs", "a.lua:2", "misspelt"),
    "a loop": (
        on_stored("RestApiPost('/instances', RestApiGet('/instances/' .. instanceId .. '/file'))"),
        "differs", "a.lua:2", "origin.RequestOrigin"),
    "a loop by ModifyInstance": (
        on_stored("ModifyInstance(instanceId, {PatientName = 'A'}, {}, true)"), "differs",
        "a.lua:2", "origin.RequestOrigin"),
    "a job of a primitive": (
        on_stored("SendToModality(instanceId, 'pacs')") + "\nfunction OnJobFailure(id) end",
        "differs", "a.lua:4", "tried again"),
    "a filter of C-STORE": (
        "function ReceivedCStoreInstanceFilter(dicom, origin, info) return 0 end", "differs",
        "a.lua:1", "the opposite"),
    "a filter that Orthanc has dropped": (
        "function IsJpeg2000TransferSyntaxAccepted(aet, ip) return true end", "differs",
        "a.lua:1", "since 1.9"),
    "a global between a filter of requests and an event": (
        "seen = 0\n" + on_stored("seen = seen + 1") + "\nfunction IncomingHttpRequestFilter(m)"
        " return seen > 0 end", "differs", "a.lua:3", "GetKeyValue"),
    "a converter": (
        on_stored("os.execute('/usr/bin/gdcmconv --j2k ' .. tags.A .. ' out')"), "hint", "a.lua:2",
        "Transcode(id"),
    "sleep": (on_stored("os.execute('sleep 10')"), "hint", "a.lua:2", "OnStableStudy"),
    "sending over REST": (
        on_stored("RestApiPost('/modalities/pacs/store', instanceId)"), "hint", "a.lua:2",
        "SendToModality(id, name)"),
}  # fmt: skip


@pytest.mark.parametrize("matter", OTHERWISE)
def test_what_differs_is_told_and_breaks_nothing(look, matter):
    source, severity, where, remedy = OTHERWISE[matter]

    found = look(source)

    assert not found.would_break, found.findings
    assert [
        finding
        for finding in found.findings
        if (finding.severity, finding.where) == (severity, where) and remedy in finding.remedy
    ], found.findings


FINE = {
    "routing": on_stored("if tags.Modality == 'CT' then SendToModality(instanceId, 'pacs') end"),
    "a guarded loop": on_stored(
        "if origin.RequestOrigin ~= 'Lua' then ModifyInstance(instanceId, {}, {}, true) end"
    ),
    "either unpack": "local unpack = table.unpack or unpack\nprint(unpack({1}))",
    "locals of all kinds": (
        "local function f(a, ...) local b = a; return b, ... end\n"
        "for i = 1, 2 do print(i) end for k, v in pairs({x = 1, [f] = 2}) do print(k, v) end\n"
        "repeat local done = true until done\ngoto out\n::out::\n"
        "local t = {} function t.g() end function t:m() print(self) end t.m(t)"
    ),
    "a URI that is put together": on_stored(
        "local uri = '/studies/' .. tags.X RestApiGet(uri) RestApiGet(uri .. '?simplify')\n"
        "for _, level in pairs({'a'}) do RestApiGet('/' .. level .. '/' .. instanceId) end\n"
        "RestApiGet('/instances/' .. instanceId .. '/file') "
        "RestApiPost('/instances/' .. instanceId .. '/modify/', '{}')"
    ),
    "a query of a URI": on_stored("RestApiGet('/tools/now?a=b/c')"),
    "a module that is a part of Lua": "local s = require('string') print(s)",
    "globals by _G": "_G.limit = 5\n_G['other'] = 6\nprint(limit, other)",
    "escapes": on_stored(r"RestApiGet('\x2finstances\047' .. instanceId)"),
}


@pytest.mark.parametrize("script", FINE)
def test_of_what_works_as_in_orthanc_nothing_is_said(look, script):
    assert look(FINE[script], here=CONFIGURED).findings == ()


def test_the_first_file_says_which_lua_all_of_them_are_for(look):
    division = "print(7 // 2)"

    told = look(division).findings[0]
    assert told.where == "a.lua:1"
    assert "lua=5.4" in told.problem
    assert look(f"-- gateway: lua=5.4\n{division}", division).findings == ()


def test_a_header_that_is_wrong_is_told(look):
    assert look("-- gateway: profil=trusted").findings[0].where == "a.lua:1"


def test_one_file_may_use_what_another_sets(look):
    found = look("PACS = 'pacs'\nfunction helper() end", on_stored("helper(PACS)"))
    assert found.findings == ()


def test_of_a_callback_that_is_defined_twice_the_later_counts(look):
    found = look(on_stored(""), on_stored(""))

    assert [(each.severity, each.where) for each in found.findings] == [("differs", "a.lua:1")]
    assert "again at b.lua:1" in found.findings[0].problem


def test_modules_are_looked_at_where_require_would_find_them(look, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "names.lua").write_text("PrintToLog('x')\nreturn {}")
    found = look(
        f"package.path = package.path .. ';{tmp_path}/lib/?.lua'\nlocal names = require('names')"
    )

    assert found.files == ("a.lua", f"{tmp_path}/lib/names.lua")
    assert [each.where for each in found.findings] == [f"{tmp_path}/lib/names.lua:1"]


def test_modules_are_found_in_the_current_folder(look, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.lua").write_text("return {}")
    assert look("require 'names'").findings == ()


def test_callbacks_functions_and_routes_are_listed(look):
    found = look(
        on_stored(
            "RestApiGet('/instances/' .. instanceId)\nRestApiGet(tags.uri)\nPrintRecursive(1)"
        )
    )
    assert found.used == (
        Used("callback", "OnStoredInstance", ("a.lua:1",)),
        Used("function", "PrintRecursive", ("a.lua:4",)),
        Used("function", "RestApiGet", ("a.lua:2", "a.lua:3")),
        Used("route", "GET ...", ("a.lua:3",), "known only when it runs"),
        Used("route", "GET /instances/...", ("a.lua:2",)),
    )


def test_findings_come_in_the_order_of_files_and_lines(look):
    found = look("x1()\n\n\n\n\n\n\n\n\nx2()", "x3()\nx4()")
    assert [each.where for each in found.findings] == ["a.lua:1", "a.lua:10", "b.lua:1", "b.lua:2"]


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    found = examine([tmp_path / "gone.lua"], Scripts(), lambda lua: HERE)
    assert [each.severity for each in found.findings] == [Severity.BREAKS]
    assert "cannot be read" in found.findings[0].problem


def test_hostile_nesting_is_told_and_not_followed(look):
    found = look("x = " + "{" * 5000 + "}" * 5000)
    assert any("nested too deeply" in each.problem for each in found.findings)


def test_a_script_is_read_and_not_run(look, tmp_path):
    look(f"io.open('{tmp_path}/mark', 'w'):close() while true do end")
    assert not Path(tmp_path, "mark").exists()


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"function", b"f(", b"local", b"x.", b"local function", b"for",
             b"a[", b"\x00\x01", b"return return", b"goto", b"repeat until", b"x = function",
             b"'\\x'"]
)  # fmt: skip
def test_whatever_a_file_holds_it_can_be_read(text):
    read("a.lua", text)


def test_a_finding_says_what_it_is_about():
    assert Finding(Severity.HINT, "a.lua:1", "x").remedy == ""
