"""Services that scripts call call the gateway back, many at a time, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from gateway_process import FormerOrthanc, GatewayProcess
from images import made_ct
from rest_support import file_bytes
from waiting import wait_until

pytestmark = pytest.mark.slow

AT_A_TIME = 20
# Each request from outside is asked about, and for that the gateway is asked something again.
SCRIPT = """
function IncomingHttpRequestFilter(method, uri)
  if uri == '/system' then return true end
  return ParseJson(HttpGet('{gateway}/system')).Name ~= nil
end
function OnStoredInstance(id, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then return end
  local answers = HttpPost('{service}', id)
  local lines = "print(#ParseJson(RestApiGet('/instances')) > 0, HttpGet('{gateway}/modalities'))"
  print(answers, (RestApiPost('/tools/execute-script', lines):gsub('%s+$', '')))
end
"""
WORKS = "200 200, true, []"


class Service:
    """Reads and modifies the instance that it is told of, when so many have been told of one."""

    def __init__(self, at_a_time: int) -> None:
        self.gateway = ""
        self.url = ""
        self._together = threading.Barrier(at_a_time)

    def answer(self, instance_id: str) -> str:
        self._together.wait(60)
        path = f"{self.gateway}/instances/{instance_id}"
        with httpx.Client(timeout=60) as http:
            read = http.get(path)
            modified = http.post(f"{path}/modify", content='{"Replace": {"PatientName": "X"}}')
        return f"{read.status_code} {modified.status_code}"

    @contextmanager
    def running(self) -> Iterator["Service"]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = service.answer(body.decode()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = False
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def receive(gateway: GatewayProcess, count: int) -> None:
    """So many images come, all at the same time."""

    def upload(number: int) -> str:
        url = f"http://127.0.0.1:{gateway.http_port}/instances"
        answer = httpx.post(url, content=file_bytes(made_ct(number)), timeout=60)
        return str(answer.json()["Status"])

    with ThreadPoolExecutor(count) as clients:
        assert [*clients.map(upload, range(count))] == ["Success"] * count


def said(gateway: GatewayProcess) -> list[object]:
    return [line["says"] for line in gateway.events("script says")]


def script_for(gateway: GatewayProcess, service: Service) -> str:
    service.gateway = f"http://127.0.0.1:{gateway.http_port}"
    return SCRIPT.replace("{gateway}", service.gateway).replace("{service}", service.url)


def test_a_service_calls_back_twenty_times_at_once_through_a_filter_that_calls_as_well(
    tmp_path: Path,
):
    gateway = GatewayProcess(tmp_path, "http.execute_lua = true\n")
    with Service(AT_A_TIME).running() as service:
        lua = script_for(gateway, service)
        gateway.script("call.lua", f"-- gateway: concurrency={AT_A_TIME}\n{lua}")
        with gateway:
            receive(gateway, AT_A_TIME)
            wait_until(lambda: len(said(gateway)) == AT_A_TIME, 60)
            assert said(gateway) == [WORKS] * AT_A_TIME
            assert not gateway.events("filter failed")


def test_what_deadlocks_beside_orthanc_works_with_the_one_state_of_legacy_scripts(tmp_path: Path):
    """The state waits for the service, which is let in by a filter of the same file."""
    gateway = FormerOrthanc(tmp_path, "", ExecuteLuaEnabled=True)
    with Service(1).running() as service:
        (tmp_path / "legacy.lua").write_text(script_for(gateway, service))
        with gateway:
            receive(gateway, 3)
            wait_until(lambda: len(said(gateway)) == 3, 60)
            assert said(gateway) == [WORKS] * 3
