"""Scripts of a whole gateway reach outside: themselves, a web server, and the gateway's end."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_process import GatewayProcess
from images import made_ct
from rest_support import file_bytes
from waiting import wait_until
from web_support import Web, web_running

pytestmark = pytest.mark.slow


@pytest.fixture
def web() -> Iterator[Web]:
    with web_running() as web:
        yield web


def said(gateway: GatewayProcess) -> list[str]:
    return [str(line["says"]) for line in gateway.events("script says")]


def upload(gateway: GatewayProcess, number: int = 1) -> str:
    url = f"http://127.0.0.1:{gateway.http_port}/instances"
    return str(httpx.post(url, content=file_bytes(made_ct(number)), timeout=30).json()["ID"])


def test_scripts_ask_the_gateway_from_their_first_line_on(tmp_path):
    with GatewayProcess(tmp_path) as gateway:
        gateway.script("a.lua", """
            print('main', RestApiGet('/instances'))
            function Initialize() print('initialize', RestApiGet('/instances')) end
        """)  # fmt: skip
        wait_until(lambda: len(said(gateway)) == 2)
        assert said(gateway) == ["main, []", "initialize, []"]
        gateway.terminate()
        gateway.start()
        wait_until(lambda: len(said(gateway)) >= 4)
        assert said(gateway)[2:] == ["main, []", "initialize, []"]


def test_a_script_waits_for_a_job_that_it_asked_for(tmp_path):
    with GatewayProcess(tmp_path) as gateway:
        gateway.script("modify.lua", """
            function OnStoredInstance(id, tags, metadata, origin)
              if origin.RequestOrigin == 'Lua' then
                return
              end
              local study = ParseJson(RestApiGet('/instances/' .. id .. '/study')).ID
              local done = RestApiPost('/studies/' .. study .. '/modify',
                '{"Replace": {"StudyDescription": "new"}, "Synchronous": true}')
              print(ParseJson(done).Type, RestApiDelete('/instances/' .. id))
            end
        """)  # fmt: skip
        gateway.loaded()
        stored = upload(gateway)
        wait_until(lambda: said(gateway), 30)
        assert said(gateway) == ["Study, true"]
        left = httpx.get(f"http://127.0.0.1:{gateway.http_port}/instances").json()
        assert len(left) == 1
        assert left != [stored]


def test_a_web_service_that_a_script_calls_calls_the_gateway_back(tmp_path):
    """Here the service is the gateway's own server, whose filter is in the same file."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.script("call.lua", f"""
            function IncomingHttpRequestFilter(method, uri) return uri ~= '/patients' end
            function OnStoredInstance(id)
              local url = 'http://127.0.0.1:{gateway.http_port}'
              local _, why = HttpGet(url .. '/patients')
              print(HttpGet(url .. '/instances/' .. id .. '/metadata/Origin'), why.status)
            end
        """)  # fmt: skip
        gateway.loaded()
        upload(gateway)
        wait_until(lambda: said(gateway), 30)
        assert said(gateway) == ["RestApi, 403"]


@pytest.mark.long
def test_a_callback_that_waits_when_the_gateway_stops_ends_in_time_and_runs_again(tmp_path, web):
    with GatewayProcess(tmp_path) as gateway:
        gateway.script("wait.lua", f"""
            function OnStoredInstance(id)
              local body = HttpGet('{web.url("/drip")}')
              RestApiDelete('/instances/' .. id)
              print('went on')
            end
        """)  # fmt: skip
        gateway.loaded()
        stored = upload(gateway)
        assert web.is_asked.wait(30)
        began = time.monotonic()
        gateway.terminate()
        assert time.monotonic() - began < 16
        assert said(gateway) == []

        web.is_over.set()
        gateway.start()
        wait_until(lambda: said(gateway), 30)
        assert len(web.asked) == 2
        assert httpx.get(f"http://127.0.0.1:{gateway.http_port}/instances").json() != [stored]


def test_values_outlive_a_crash(tmp_path: Path):
    with GatewayProcess(tmp_path) as gateway:
        gateway.script("count.lua", """
            function OnStoredInstance()
              local count = (tonumber((GetKeyValue('s', 'count'))) or 0) + 1
              StoreKeyValue('s', 'count', count)
              print(count)
            end
        """)  # fmt: skip
        gateway.loaded()
        upload(gateway, 1)
        wait_until(lambda: said(gateway) == ["1"], 30)
        gateway.kill()
        gateway.start()
        upload(gateway, 2)
        wait_until(lambda: said(gateway)[-1:] == ["2"], 30)
