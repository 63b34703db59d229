"""Functions that reach outside at once: the same lines of Lua print the same in both servers."""

import json
from collections.abc import Iterator

import pytest
from images import made_ct
from orthanc_peer import ORTHANC, Pair, Request, Server, pair_running
from rest_support import file_bytes
from web_support import Web, web_running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

TOML = """
http.execute_lua = true
[orthanc]
DicomAet = "GATEWAY"
Mine = {Text = "x", List = ["a", "b"]}
"""
# What works is compared as it is printed. Left out, because Orthanc 1.10.1 ends the script: an
# empty table of headers, headers of RestApiPost, whatever comes behind HttpDelete (which is last,
# for that). Lines that run others share one output in Orthanc, where they appear twice.
REST = (
    "print(RestApiGet('/instances'))",
    "print(RestApiGet('/instances/'))",
    "print(RestApiGet('/studies?since=0&limit=1'))",
    "print(RestApiGet('/instances', true))",
    "print(RestApiGet('/instances', false, {Accept = 'x', b = 1}))",
    "print(RestApiGet('/instances', false, nil))",
    "print(RestApiGet('/instances', false, {a = true}))",
    "print(type(RestApiGet('/system')), type(RestApiGet('/tools/now')))",
    "print(#RestApiGet('/tools/now'))",
    "print(ParseJson(RestApiGet('/statistics')).CountInstances == 1)",
    "print(RestApiGet('/instances/' .. ID .. '/content/0010-0020'))",
    "print(RestApiGet('/instances/' .. ID .. '/metadata/IndexInSeries'))",
    "print(ParseJson(RestApiGet('/instances/' .. ID)).ID)",
    "print(RestApiGet('/instances/' .. ID):match('\"ID\" : \"(.-)\"'))",
    "print(RestApiGet('/instances/' .. ID .. '/file'):sub(129, 132))",
    "local f = RestApiGet('/instances/' .. ID .. '/file') print(f:find('\\0', 1, true), type(f))",
    'print(RestApiPost(\'/tools/find\', \'{"Level":"Instance","Query":{}}\'))',
    'print(RestApiPost(\'/tools/find\', \'{"Level":"Instance","Query":{}}\', false))',
    "print(RestApiPost('/tools/lookup', 'nobody'))",
    "print(RestApiPost('/tools/lookup', 5))",
    "print(RestApiPut('/instances/' .. ID .. '/metadata/1024', 'a text'))",
    "print(RestApiGet('/instances/' .. ID .. '/metadata/1024'))",
    "print(type(RestApiPut('/instances/' .. ID .. '/metadata/1025', 5)))",
    "print(RestApiGet('/instances/' .. ID .. '/metadata/1025'))",
    "print(RestApiPut('/instances/' .. ID .. '/attachments/1024/', 'a\\0b') ~= nil)",
    "print(#RestApiGet('/instances/' .. ID .. '/attachments/1024/data'))",
    "print(RestApiGet('/instances/' .. ID .. '/attachments/1024/data'):byte(1, 3))",
    "print(RestApiDelete('/instances/' .. ID .. '/attachments/1024'))",
    "print(type(RestApiPut('/modalities/new', '[\"A\", \"127.0.0.1\", 1]')))",
    "print(RestApiDelete('/modalities/new'))",
    "print(RestApiPost('/tools/execute-script', 'x = 1'))",
    "local get = RestApiGet print(get('/instances'))",
    "print(pcall(RestApiGet, '/studies?since=5&limit=1', false))",
    "local f = RestApiGet('/instances/' .. ID .. '/file')"
    " print(RestApiDelete('/instances/' .. ID), ParseJson(RestApiPost('/instances', f)).Status,"
    " RestApiGet('/instances/' .. ID .. '/metadata/Origin'))",
    "local f = RestApiGet('/instances/' .. ID .. '/file')"
    " print(RestApiDelete('/instances/' .. ID), ParseJson(RestApiPost('/instances/', f)).ID)",
    "local c = GetOrthancConfiguration() print(c.DicomAet, c.Mine.Text, c.Mine.List[2], c.Nobody)",
    "print(GetOrthancConfiguration(5).DicomAet)",
)
# Of what does not work, Orthanc prints nil; we tell the reason in a second result.
REFUSED = (
    "RestApiGet()", "RestApiGet(nil)", "RestApiGet(5)", "RestApiGet({})", "RestApiGet(true)",
    "RestApiGet('')", "RestApiGet('instances')", "RestApiGet('//instances')",
    "RestApiGet(' /instances')", "RestApiGet('/instances ')", "RestApiGet('/INSTANCES')",
    "RestApiGet('/nope')", "RestApiGet('/instances/nope')", "RestApiGet('/instances#x')",
    "RestApiGet('http://localhost/instances')", "RestApiGet('/tools/../instances')",
    "RestApiGet('/instances', 'x')", "RestApiGet('/instances', nil)", "RestApiGet('/instances', 0)",
    "RestApiGet('/instances', false, {}, 7)", "RestApiGet('/patients/x/studies')",
    "RestApiGet('/tools/generate-uid')", "RestApiGet('/instances?limit=1')",
    "RestApiPost()", "RestApiPost('/tools/find')", "RestApiPost('/tools/find', nil)",
    "RestApiPost('/tools/find', {})", "RestApiPost('/tools/find', true)",
    "RestApiPost('/tools/find', '{')", "RestApiPost('/tools/find', '{}', nil)",
    "RestApiPost('/tools/find', '{}', 'x', {})", "RestApiPost('/tools/find', '{}', false, {}, 5)",
    "RestApiPost(nil, 'x')", "RestApiPost('/instances', '')",
    "RestApiPost('/instances', 'rubbish')", "RestApiPost('/instances/', 'a\\0b')",
    "RestApiPost('/system', '')",
    "RestApiPost('/modalities/nobody/store', 'x')", "RestApiPost('/modalities/nobody/echo', '')",
    "RestApiPut()", "RestApiPut('/system', '')", "RestApiPut('/instances/nope/metadata/1024', 'x')",
    "RestApiPut('/modalities/new', 'rubbish')", "RestApiDelete()", "RestApiDelete('/system')",
    "RestApiDelete('/instances/nope')", "RestApiDelete('/instances/nope', 'x')",
    "RestApiDelete('/instances/nope', nil)", "RestApiDelete('/modalities/nobody')",
)  # fmt: skip
WEB = (
    "print(HttpGet(URL .. '/echo'))",
    "print(HttpGet(URL .. '/echo?a=b&c=%20'))",
    "print(HttpGet(URL:gsub('http://', '') .. '/echo'))",
    "print(HttpGet(URL .. '/headers'))",
    "print(HttpGet(URL .. '/headers', {A = '1', ['X-B'] = 2, C = true}))",
    "print(HttpGet(URL .. '/headers', nil))",
    "print(HttpGet(URL .. '/headers', {Accept = 'a/b'}))",
    "print(#HttpGet(URL .. '/binary'), HttpGet(URL .. '/binary'):byte(1, 3))",
    "print('[' .. HttpGet(URL .. '/status/204') .. ']')",
    "print(HttpGet(URL .. '/status/201'))",
    "print((HttpGet(URL .. '/status/404')))",
    "print((HttpGet(URL .. '/status/500')))",
    "print((HttpGet(URL .. '/status/300')))",
    "print(type((HttpPost(URL .. '/status/500', ''))), type((HttpPut(URL .. '/status/400', ''))))",
    "print(HttpPost(URL .. '/echo', 'text'))",
    "print(HttpPost(URL .. '/echo'))",
    "print(HttpPost(URL .. '/echo', nil))",
    "print(HttpPost(URL .. '/echo', ''))",
    "print(HttpPost(URL .. '/echo', 5))",
    "print(#HttpPost(URL .. '/echo', 'a\\0b'))",
    "print(HttpPost(URL .. '/headers', 'ab'))",
    "print(HttpPost(URL .. '/headers', 'ab', {['Content-Type'] = 'application/json'}))",
    "print(HttpPost(URL .. '/headers', nil, {A = '1'}))",
    "print(HttpPost(URL .. '/headers'))",
    "print(HttpPut(URL .. '/echo', 'text'))",
    "print(HttpPut(URL .. '/echo'))",
    "print(HttpPut(URL .. '/headers', 'ab'))",
    *(f"print(HttpGet(URL .. '/redirect/{status}'))" for status in (301, 302, 303, 307)),
    *(f"print(HttpPost(URL .. '/redirect/{status}', 'x'))" for status in (301, 302, 303, 307, 308)),
    "print(HttpPut(URL .. '/redirect/307', 'x'))",
    "print((HttpGet(URL .. '/loop')))",
    "print((HttpGet(URL .. '/a b')))",
    *(f"print(({call}))" for call in (
        "HttpGet()", "HttpGet(nil)", "HttpGet(true)", "HttpGet({})", "HttpGet('')",
        "HttpGet(URL, {}, 5)", "HttpPost()", "HttpPost(URL, {})", "HttpPost(URL, true)",
        "HttpPost(URL, 'x', {}, 5)", "HttpPut(URL, 'x', {}, 5)", "HttpDelete()",
        "HttpGet('http://127.0.0.1:1/')", "HttpGet('http://nobody.invalid/')",
    )),
    "print(SetHttpCredentials('u'))",
    "print(SetHttpCredentials())",
    "print(HttpGet(URL:gsub('//', '//u:p@') .. '/headers'))",
    "print(SetHttpCredentials('user', 'pw')) print(HttpGet(URL .. '/headers'))",
    "SetHttpCredentials(1, 2) print(HttpGet(URL .. '/headers'))",
    "print(HttpDelete(URL .. '/echo'))",
)  # fmt: skip


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with web_running() as web:
        yield web


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder, mine = tmp_path_factory.mktemp("pair"), {"Text": "x", "List": ["a", "b"]}
    with pair_running(folder, TOML, ExecuteLuaEnabled=True, Mine=mine) as pair:
        for server in (pair.orthanc, pair.gateway):
            server.ask(Request("POST", "/instances", content=file_bytes(made_ct(1))))
        yield pair


def printed(server: Server, source: str, web: Web) -> str:
    """What the lines print; ID is the one instance that is there, URL the web server's."""
    instance = server.ask(Request("GET", "/instances")).json()[0]
    lines = f"local ID, URL = '{instance}', '{web.url('')}' {source}"
    answer = server.ask(Request("POST", "/tools/execute-script", content=lines.encode()))
    assert answer.status_code == 200, (source, answer.text)
    return _sorted(answer.text)


def _sorted(text: str) -> str:
    """JSON without what is between its values; lists of headers in one order."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text.rstrip("\n")


@pytest.mark.parametrize("source", [*REST, *WEB])
def test_what_is_printed_is_the_same(pair, web, source):
    assert printed(pair.gateway, source, web) == printed(pair.orthanc, source, web)


@pytest.mark.parametrize("call", REFUSED)
def test_what_is_refused_is_nil_in_both_and_we_tell_why(pair, web, call):
    theirs = printed(pair.orthanc, f"print(({call})) print(select('#', {call}))", web)
    ours = printed(pair.gateway, f"print(({call})) print(select('#', {call}))", web)

    assert theirs == "nil\n1"
    assert ours == "nil\n2"


def test_callbacks_that_a_client_sends_live_on_in_orthanc_and_are_refused_by_us(pair, web):
    request = Request(
        "POST", "/tools/execute-script", content=b"x = 1 function OnStoredInstance() end"
    )

    assert pair.orthanc.ask(request).status_code == 200
    assert printed(pair.orthanc, "print(x, type(OnStoredInstance))", web) == "1, function"
    assert pair.gateway.ask(request).status_code == 500
    assert printed(pair.gateway, "print(x, type(OnStoredInstance))", web) == "nil, nil"
