"""What scripts reach at once: REST, other servers, what is kept for them."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from images import made_ct
from rest_support import GatewayApi, LazyCodecs, file_bytes
from scripting_support import make_event
from structlog.testing import capture_logs
from waiting import wait_until
from web_support import BINARY, LARGE_BYTES, Web, web_running

from gateway.config.models import Configuration, Http, Scripts
from gateway.config.models import Store as StoreSettings
from gateway.errors import ScriptError, ScriptTimedOut
from gateway.model import Origin, OriginKind
from gateway.ports import HttpAnswer, Patience, RestRequest
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.site import Outside, Site
from gateway.scripting.snippet import run_snippet
from gateway.scripting.sources import Snapshot


@pytest.fixture(scope="module")
def codecs() -> Iterator[LazyCodecs]:
    codecs = LazyCodecs()
    yield codecs
    codecs.close()


@pytest.fixture
def api(tmp_path: Path, codecs: LazyCodecs) -> Iterator[GatewayApi]:
    settings = Configuration(
        store=StoreSettings(folder=tmp_path / "data"), http=Http(execute_lua=True)
    )
    api = GatewayApi(tmp_path, codecs, settings)
    yield api
    api.close()


@pytest.fixture
def web() -> Iterator[Web]:
    with web_running() as web:
        yield web


def loaded(source: str, site: Site, **settings: object) -> LoadedScript:
    script = Script.of("test.lua", Snapshot({"test.lua": source.encode()}), Scripts(**settings))
    return LoadedScript(script, site)


def said(source: str, site: Site, **settings: object) -> str:
    """What a script prints, each line of it."""
    asked_by = Origin(OriginKind.REST)
    return run_snippet(source.encode(), Scripts(**settings), site, asked_by=asked_by).rstrip("\n")


# --- REST -----------------------------------------------------------------------------------------


def test_a_script_reads_what_is_stored(api):
    instance = api.store(made_ct(1))

    assert said("print(RestApiGet('/instances'))", api.site) == f'["{instance}"]'


def test_files_cross_byte_by_byte_in_both_directions(api):
    image = file_bytes(made_ct(1))
    uploaded = api.post_json("/instances", image)["ID"]
    answer = said(
        f"""
        local file = RestApiGet('/instances/{uploaded}/file')
        print(#file, file:sub(129, 132))
        assert(RestApiDelete('/instances/{uploaded}') == true)
        print(ParseJson(RestApiPost('/instances', file)).Status)
        print(RestApiGet('/instances/{uploaded}/file') == file)
        """,
        api.site,
    )

    assert re.fullmatch(r"\d+, DICM\nSuccess\ntrue", answer)


@pytest.mark.parametrize(
    ("call", "status", "problem"),
    [
        ("RestApiGet('/nope')", 404, "Unknown resource"),
        ("RestApiGet('/instances/nope')", 404, "Not Found"),
        ("RestApiGet('instances')", 400, "Badly formatted URI"),
        ("RestApiGet('')", 400, "Badly formatted URI"),
        ("RestApiGet('//instances')", 400, "Badly formatted URI"),
        ("RestApiGet(5)", 400, "Badly formatted URI"),
        ("RestApiDelete('/instances/nope')", 404, "Not Found"),
        ("RestApiPost('/system', '')", 405, "Method Not Allowed"),
        ("RestApiPost('/tools/find', '{')", 400, "Bad request"),
        ("RestApiPost('/instances', 'no DICOM')", 400, "Bad file format"),
        ("RestApiPut('/tools/nope', '')", 404, "Unknown resource"),
    ],
)
def test_an_error_is_nil_and_a_table_that_tells_why(api, call, status, problem):
    answer = said(
        f"local body, why = {call} print(body) print(why.status, why.error) print(why)", api.site
    )

    nothing, fields, text = answer.split("\n")
    assert nothing == "nil"
    assert fields.startswith(f"{status}, {problem}")  # details may follow
    assert text == fields.replace(",", "", 1)


@pytest.mark.parametrize(
    "call",
    [
        "RestApiGet()", "RestApiGet(nil)", "RestApiGet({})", "RestApiGet(true)",
        "RestApiGet('/system', nil)", "RestApiGet('/system', 'x')",
        "RestApiGet('/system', false, 5)", "RestApiGet('/system', false, {1, 2})",
        "RestApiGet('/system', false, {a = {}})", "RestApiGet('/system', false, {}, 5)",
        "RestApiPost('/tools/find')", "RestApiPost('/tools/find', nil)",
        "RestApiPost('/tools/find', {})", "RestApiPut('/tools/log-level', true)",
        "RestApiDelete()", "RestApiDelete('/instances/x', 'y')",
        "HttpGet()", "HttpGet({})", "HttpGet('http://x', {}, 5)", "HttpGet('http://x', 5)",
        "HttpPost('http://x', {})", "HttpPut('http://x', true)", "HttpDelete()",
        "StoreKeyValue('a', 'b')", "GetKeyValue('a')", "DeleteKeyValue('a', {})",
        "SetStableStatus('x')", "SetStableStatus(nil, true)",
    ],
)  # fmt: skip
def test_wrong_arguments_are_answered_with_nil_and_named_in_the_log(api, call):
    with capture_logs() as logs:
        answer = said(f"\nlocal body, why = {call} print(body, why.status, why.error)", api.site)

    assert answer.startswith("nil, 0, Bad parameters to " + call.partition("(")[0])
    assert [(entry["line"], entry["reason"]) for entry in logs] == [("line:2", "bad parameters")]


def test_the_log_tells_script_line_and_path_but_not_the_query(api):
    with capture_logs() as logs:
        said("\n\nRestApiGet('/nope/here?PatientName=Doe')", api.site)

    (entry,) = logs
    assert entry["line"] == "line:3"
    assert entry["about"] == "GET /nope/here"
    assert "Doe" not in str(entry)


def test_escapes_in_a_path_are_decoded(api):
    study = api.get_json(f"/instances/{api.store(made_ct(1))}/study")["ID"]

    assert said(f"print(RestApiPut('/studies/{study}/labels/to%2Dsend', ''))", api.site) == ""
    assert api.get_json(f"/studies/{study}/labels") == ["to-send"]


def test_what_a_script_uploads_has_the_script_for_its_origin(api):
    answer = said(
        f"""
        local image = io.open('{_on_disk(api)}', 'rb'):read('*a')
        local id = ParseJson(RestApiPost('/instances', image)).ID
        print(RestApiGet('/instances/' .. id .. '/metadata/Origin'))
        """,
        api.site,
    )  # fmt: skip

    assert answer == "Lua"


def _on_disk(api: GatewayApi) -> Path:
    path = api.settings.store.folder / "image.dcm"
    path.write_bytes(file_bytes(made_ct(1)))
    return path


class Recording:
    """A REST interface that remembers who asked."""

    def __init__(self) -> None:
        self.requests: list[RestRequest] = []
        self.answer = HttpAnswer(200, b"", {})
        self.patience: list[float] = []

    def call(self, request: RestRequest, patience: Patience) -> HttpAnswer:
        self.requests.append(request)
        self.patience.append(patience.seconds_left())
        return self.answer


def site_with(api: Recording) -> Site:
    outside = Outside(api, None, None, dict, 60)  # type: ignore[arg-type]
    return Site({}, Configuration().codecs.options(), outside)


def test_an_upload_is_one_generation_younger_than_the_instance_that_caused_it():
    recording = Recording()
    script = loaded("function OnStoredInstance(id) RestApiPost('/instances', 'x') end",
                    site_with(recording))  # fmt: skip
    try:
        cause = Origin(OriginKind.REST, generation=4)
        script.handle("OnStoredInstance", make_event().subject, cause=cause)
    finally:
        script.close()

    assert recording.requests[0].origin == Origin(OriginKind.LUA, generation=5)


def test_headers_and_bodies_reach_the_interface_as_they_are():
    recording = Recording()
    said("RestApiPut('/a', 'x\\0y\\255', false, {['X-A'] = 1, b = 'c'})", site_with(recording))

    (request,) = recording.requests
    assert (request.method, request.uri, request.body) == ("PUT", "/a", b"x\0y\xff")
    assert request.headers == {"X-A": "1", "b": "c"}


def test_headers_of_an_error_are_in_the_table():
    recording = Recording()
    recording.answer = HttpAnswer(503, b"", {"retry-after": "5"})

    source = "local _, why = RestApiGet('/a') print(why.headers['retry-after'])"
    assert said(source, site_with(recording)) == "5"


def test_what_failed_can_be_handed_on_without_harm(api, web):
    said(f"HttpPost('{web.url('/echo')}', RestApiGet('/nope'))", api.site)

    assert web.asked == ["POST /echo"]


def test_a_large_file_crosses_and_one_beyond_the_memory_is_an_error(api):
    large = 100 << 20
    image = made_ct(1)
    image.Rows, image.Columns, image.NumberOfFrames = 10240, 5120, 1
    image.PixelData = bytes(large)
    instance = api.store(image)
    source = (
        f"local file, why = RestApiGet('/instances/{instance}/file') print(file and #file, why)"
    )

    assert int(said(source, api.site, memory_mb=256).partition(",")[0]) > large
    assert "can be held" in said(source, api.site, memory_mb=64)


def test_a_script_deletes_the_instance_that_it_handles(api):
    instance = api.store(made_ct(1))
    script = loaded("function OnStoredInstance(id) assert(RestApiDelete('/instances/' .. id)) end",
                    api.site)  # fmt: skip
    try:
        assert script.handle("OnStoredInstance", instance) == []
    finally:
        script.close()
    assert api.get_json("/instances") == []


def test_a_script_runs_lines_by_the_interface(api):
    source = "print(RestApiPost('/tools/execute-script', [[print('in', 'there')]]))"

    assert said(source, api.site) == "in, there"


def test_a_loop_that_goes_through_lines_is_cut(api):
    """Else a script could send its uploads that way, for ever."""
    image = file_bytes(made_ct(1))
    api.site.outside.key_values.put("s", "image", image)
    lines = b"print(RestApiPost('/instances', GetKeyValue('s', 'image')))"
    limit = api.services.settings.scripts.loop_limit

    def stored_by(generation: int) -> str:
        asked_by = Origin(OriginKind.LUA, generation=generation)
        return run_snippet(lines, Scripts(), api.site, asked_by=asked_by)

    with pytest.raises(ScriptError, match=r"line:1: .*5 times in a row"):
        stored_by(limit + 1)
    assert api.get_json("/instances") == []
    assert '"Status" : "Success"' in stored_by(limit)


def test_lines_that_run_themselves_for_ever_end(api):
    api.site.outside.key_values.put(
        "s",
        "lines",
        b"""
        StoreKeyValue('s', 'depth', GetKeyValue('s', 'depth') + 1)
        print((RestApiPost('/tools/execute-script', GetKeyValue('s', 'lines'))))
    """,
    )
    api.site.outside.key_values.put("s", "depth", b"0")
    source = "print((RestApiPost('/tools/execute-script', GetKeyValue('s', 'lines'))))"

    assert "nil" in said(source, api.site)
    assert int(api.site.outside.key_values.get("s", "depth")) > 3


def test_lines_within_a_script_have_no_more_time_than_the_script(api):
    began = time.monotonic()
    with pytest.raises(ScriptTimedOut):
        said("RestApiPost('/tools/execute-script', 'while true do end')", api.site, timeout_s=0.5)

    assert time.monotonic() - began < 10


# --- other servers --------------------------------------------------------------------------------


def test_requests_and_their_answers(web, api):
    source = f"""
        local url = '{web.url("/echo")}'
        print(HttpGet(url))
        print(HttpPost(url, 'a'), HttpPost(url), HttpPost(url, 5))
        print(HttpPut(url, 'b'))
        print(HttpDelete(url))
        print(HttpGet('127.0.0.1:{web.port}/echo'))
    """
    assert said(source, api.site).split("\n") == [
        "GET /echo ",
        "POST /echo a, POST /echo , POST /echo 5",
        "PUT /echo b",
        "SUCCESS",
        "GET /echo ",
    ]


def test_bodies_are_binary_in_both_directions(web, api):
    source = f"""
        local body = HttpGet('{web.url("/binary")}')
        print(#body, body:byte(1), body:byte(256))
        local echo = HttpPost('{web.url("/echo")}', body)
        print(echo:sub(-256) == body)
    """
    assert said(source, api.site) == "256, 0, 255\ntrue"
    assert web.asked[1] == "POST /echo " + BINARY.decode("latin-1").rstrip()


def test_a_script_sends_the_headers_that_it_names_and_nothing_that_orthanc_does_not(web, api):
    source = f"""
        local url = '{web.url("/headers")}'
        print(HttpGet(url))
        print(HttpPost(url, 'ab', {{['content-type'] = 'a/b', X = true, Y = 2}}))
    """
    assert said(source, api.site).split("\n") == [
        "Accept: */*",
        "Accept: */*", "Content-Length: 2", "X: true", "Y: 2", "content-type: a/b",
    ]  # fmt: skip


def test_a_status_of_an_error_is_an_empty_text_and_a_table(web, api):
    source = f"""
        local body, why = HttpPost('{web.url("/status/503")}', '')
        print(body == '', why.status, why.error, why.headers['x-why'])
        print((HttpDelete('{web.url("/status/404")}')))
    """
    assert said(source, api.site) == "true, 503, Service Unavailable, because\nnil"


@pytest.mark.parametrize(
    "url",
    ["", " ", "http://127.0.0.1:1/", "http://nobody.invalid/", "ftp://127.0.0.1/", "file:///etc/x",
     "http://127.0.0.1:99999/", "http://a b/", "http://[::1", "http://\\255/", "http://a/\\n"],
)  # fmt: skip
def test_what_cannot_be_reached_is_nil_and_a_table(api, url):
    answer = said(f"local body, why = HttpGet('{url}') print(body, why.status, #why.error > 0)",
                  api.site)  # fmt: skip

    assert answer == "nil, 0, true"


def test_a_header_cannot_smuggle_another_one(web, api):
    source = f"print((HttpGet('{web.url('/headers')}', {{a = 'b\\r\\nc: d'}})))"

    assert said(source, api.site) == "nil"
    assert web.asked == []


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [("Get", 301, "GET"), ("Get", 307, "GET"), ("Post", 301, "GET"), ("Post", 302, "GET"),
     ("Post", 303, "GET"), ("Post", 307, "POST"), ("Post", 308, "POST"), ("Put", 307, "PUT")],
)  # fmt: skip
def test_redirections_are_followed(web, api, method, status, then):
    arguments = "" if method == "Get" else ", 'x'"
    answer = said(f"print(Http{method}('{web.url(f'/redirect/{status}')}'{arguments}))", api.site)

    assert answer.startswith(f"{then} /echo")


def test_redirections_in_a_circle_are_nil(web, api):
    assert said(f"print((HttpGet('{web.url('/loop')}')))", api.site) == "nil"


def test_credentials_hold_from_their_setting_on_and_outweigh_none(web, api):
    url = web.url("/headers")
    source = f"""
        print(HttpGet('{url}'):match('Authorization: .*'))
        SetHttpCredentials('user', 'pw')
        print(HttpGet('{url}'):match('Authorization: .*'))
        SetHttpCredentials('user')
        print(HttpGet('{url}'):match('Authorization: .*'))
    """
    assert said(source, api.site).split("\n") == [
        "nil", "Authorization: Basic dXNlcjpwdw==", "Authorization: Basic dXNlcjpwdw==",
    ]  # fmt: skip


def test_credentials_of_a_url_are_used_and_not_logged(web, api):
    with capture_logs() as logs:
        url = f"http://u:secret@127.0.0.1:{web.port}"
        answer = said(f"print(HttpGet('{url}/headers')) HttpGet('{url}/status/500')", api.site)

    assert "Authorization: Basic dTpzZWNyZXQ=" in answer
    assert "secret" not in str(logs)


@pytest.mark.parametrize("kind", ["silent", "drip"])
def test_a_server_that_does_not_come_to_its_end_is_left_in_time(web, api, kind):
    began = time.monotonic()
    source = f"SetHttpTimeout(0.5) print(HttpGet('{web.url('/' + kind)}'))"

    assert said(source, api.site) == "nil, no whole answer within 0.5 s"
    assert time.monotonic() - began < 10


def test_a_silent_server_is_told_of_alike_whoever_gives_up_first(web, api):
    source = f"SetHttpTimeout(0.02) print(HttpGet('{web.url('/silent')}'))"

    told = {said(source, api.site) for _ in range(30)}

    assert told == {"nil, no whole answer within 0.02 s"}


@pytest.mark.parametrize("kind", ["silent", "drip"])
def test_the_script_s_own_time_ends_a_request_as_well(web, api, kind):
    began = time.monotonic()
    with pytest.raises(ScriptTimedOut):
        said(f"HttpGet('{web.url('/' + kind)}')", api.site, timeout_s=0.5)

    assert time.monotonic() - began < 10


def test_an_answer_beyond_the_memory_is_an_error(web, api):
    source = f"local body, why = HttpGet('{web.url('/large')}') print(body and #body, why)"

    assert "can be held" in said(source, api.site, memory_mb=20)
    assert said(source, api.site, memory_mb=128).startswith(str(LARGE_BYTES))


def test_other_threads_go_on_while_a_script_waits(web, api):
    waiting = threading.Thread(
        target=lambda: said(f"SetHttpTimeout(1) HttpGet('{web.url('/silent')}')", api.site)
    )
    waiting.start()
    assert web.is_asked.wait(10)
    longest = 0.0
    while waiting.is_alive():
        began = time.monotonic()
        waiting.join(0.01)
        longest = max(longest, time.monotonic() - began)
    assert longest < 0.5


def test_a_request_that_is_interrupted_ends_and_its_script_with_it(web, api):
    script = loaded(f"""
        function OnStoredInstance(id)
          HttpGet('{web.url("/drip")}')
          RestApiDelete('/instances/' .. id)
        end""", api.site)  # fmt: skip
    instance = api.store(made_ct(1))
    errors: list[ScriptError] = []

    def run() -> None:
        try:
            script.handle("OnStoredInstance", instance)
        except ScriptError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert web.is_asked.wait(10)
    script.interrupt()
    thread.join(5)
    script.close()

    assert not thread.is_alive()
    assert "the gateway stops" in str(errors[0])
    assert api.get_json("/instances") == [instance]


def test_no_thread_is_left_behind(web, api):
    said(f"SetHttpTimeout(0.2) HttpGet('{web.url('/drip')}')", api.site)

    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "http-call"])


# --- what is kept ---------------------------------------------------------------------------------


def test_values_are_kept_byte_by_byte_and_outlive_the_script(api):
    said("print(StoreKeyValue('s', 'k', 'a\\0b\\255'))", api.site)

    source = "local v = GetKeyValue('s', 'k') print(#v, v:byte(1, 4))"
    assert said(source, api.site) == "4, 97, 0, 98, 255"


def test_a_value_is_replaced_deleted_and_nil_when_it_is_not_there(api):
    source = """
        print(GetKeyValue('s', 'k'))
        StoreKeyValue('s', 'k', 1) StoreKeyValue('s', 'k', 2) StoreKeyValue('t', 'k', 3)
        print(GetKeyValue('s', 'k'), GetKeyValue('t', 'k'))
        print(DeleteKeyValue('s', 'k'), DeleteKeyValue('s', 'k'))
        print(GetKeyValue('s', 'k'))
    """
    assert said(source, api.site).split("\n") == ["nil", "2, 3", "true, true", "nil"]


def test_a_value_beyond_the_memory_is_an_error(api):
    api.site.outside.key_values.put("s", "k", bytes(40 << 20))

    assert said("print((GetKeyValue('s', 'k')))", api.site, memory_mb=20) == "nil"


def test_a_study_is_declared_stable_and_unstable(api):
    study = api.get_json(f"/instances/{api.store(made_ct(1))}/study")["ID"]
    source = f"""
        print(SetStableStatus('{study}', true), SetStableStatus('{study}', true))
        print(ParseJson(RestApiGet('/studies/{study}')).IsStable)
        print(SetStableStatus('{study}', false))
        print(ParseJson(RestApiGet('/studies/{study}')).IsStable)
        print((SetStableStatus('nobody', true)))
    """
    assert said(source, api.site).split("\n") == ["true, false", "true", "true", "false", "nil"]
    assert "StableStudy" in str(api.get_json("/changes"))


def test_without_orthanc_s_file_the_configuration_is_told_in_its_keys(api):
    source = """
        local c = GetOrthancConfiguration()
        print(c.DicomAet, c.DicomPort, c.Name, c.ExecuteLuaEnabled, c.Nothing)
    """
    assert said(source, api.site) == "GATEWAY, 11112, GATEWAY, true, nil"


def test_orthanc_s_file_is_told_word_for_word():
    outside = Outside(Recording(), None, None, lambda: {"Mine": {"Key": ["ä", 1]}}, 60)  # type: ignore[arg-type]
    site = Site({}, Configuration().codecs.options(), outside)

    source = "local c = GetOrthancConfiguration() print(c.Mine.Key[1], c.Mine.Key[2])"
    assert said(source, site) == "ä, 1"


# --- where they are not ---------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["RestApiGet('/')", "HttpGet('http://x')", "GetKeyValue('a', 'b')",
                                  "GetOrthancConfiguration()", "SetHttpTimeout(1)"])  # fmt: skip
def test_a_sandboxed_script_is_told_that_they_are_not_there(api, call):
    with pytest.raises(ScriptError, match="sandboxed profile"):
        said(call, api.site, profile="sandboxed")


def test_without_a_gateway_they_say_so():
    with pytest.raises(ScriptError, match="no gateway"):
        said("RestApiGet('/system')", Site({}, Configuration().codecs.options()))


def test_they_are_values_like_any_other(api):
    assert said("print(pcall(RestApiGet, '/tools/log-level'))", api.site).startswith("true, ")
