"""Scripts that answer their own work for ever: a real gateway stops them, and says so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from gateway_process import GatewayProcess
from images import made_ct
from rest_support import file_bytes
from waiting import wait_until

pytestmark = pytest.mark.slow

LIMIT = 2
TIMEOUT_S = 60.0
MODIFY = """
local function modified(id, name)
  return RestApiPost('/instances/' .. id .. '/modify', DumpJson({Replace = {PatientName = name}}))
end
local function modify(study)
  RestApiPost('/studies/' .. study .. '/modify',
    '{"Replace": {"StudyDescription": "x"}, "Asynchronous": ASYNCHRONOUS}')
end
"""
# None of these looks at origin. They leave as many images as there were generations, or one.
REPLACES = """
function OnStoredInstance(id)
  RestApiPost('/instances', modified(id, 'x'))
  RestApiDelete('/instances/' .. id)
end
"""
MODIFIES_STUDIES = "function OnStableStudy(id) modify(id) end"
ANSWERS_JOBS = """
function OnStableStudy(id, tags, metadata)
  if not metadata.ModifiedFrom then modify(id) end
end
function OnJobSuccess(id) modify(ParseJson(RestApiGet('/jobs/' .. id)).Content.ID) end
"""
ANSWERS_NOTES = """
function OnStoredInstance(id) RestApiPut('/instances/' .. id .. '/metadata/3000', 'seen') end
function OnUpdatedInstance(id) RestApiPost('/instances', modified(id, 'x')) end
"""
ANSWERS_DELETIONS = """
function OnStoredInstance(id)
  StoreKeyValue('loop', id, modified(id, 'x'))
  RestApiDelete('/instances/' .. id)
end
function OnDeletedInstance(id) RestApiPost('/instances', GetKeyValue('loop', id)) end
"""
ANSWERS_A = """
function OnStoredInstance(id, tags)
  if tags.PatientName ~= 'A' then RestApiPost('/instances', modified(id, 'A')) end
end
"""
ANSWERS_B = """
function OnStoredInstance(id, tags)
  if tags.PatientName == 'A' then RestApiPost('/instances', modified(id, 'B')) end
end
"""
SENDS_LINES = """
function OnStoredInstance(id)
  local lines = "RestApiPost('/instances', GetKeyValue('loop', 'image'))"
  StoreKeyValue('loop', 'image', modified(id, 'x'))
  local _, why = RestApiPost('/tools/execute-script', lines)
  if why then error(why) end
end
"""
PLANS = """
function OnStoredInstance(id)
  ModifyInstance(id, {StudyDescription = 'x'}, {}, false)
  Delete(id)
end
"""


class Running:
    """A gateway with scripts that loop."""

    def __init__(self, gateway: GatewayProcess, http: httpx.Client) -> None:
        self.gateway = gateway
        self._http = http

    def receive(self) -> None:
        """One image comes from outside."""
        answer = self._http.post("/instances", content=file_bytes(made_ct()))
        assert answer.json()["Status"] == "Success"

    def until_stopped(self) -> None:
        """The guard has refused what a script would store, and nothing is left to be done."""
        wait_until(self.loops_counted, TIMEOUT_S)
        wait_until(self._is_idle, TIMEOUT_S)

    def _is_idle(self) -> bool:
        jobs = self._http.get("/jobs?expand").json()
        return not (
            any(job["State"] in ("Pending", "Running") for job in jobs)
            or self._metrics("gateway_events_waiting{")
            or self._metrics('gateway_tasks{state="waiting"}')
            or self._metrics('gateway_tasks{state="running"}')
        )

    def loops_counted(self) -> float:
        return self._metrics('gateway_errors_total{kind="loop"}')

    def _metrics(self, beginning: str) -> float:
        """The sum of the samples whose line begins so."""
        with urlopen(f"http://127.0.0.1:{self.gateway.http_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(beginning))

    @property
    def instances(self) -> list[str]:
        return list(self._http.get("/instances").json())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`run(lua, ...)`: a gateway with these scripts, which may use MODIFY."""
    gateway = GatewayProcess(
        tmp_path,
        f"scripts.loop_limit = {LIMIT}\nstore.stable_age_s = 1\nhttp.execute_lua = true\n",
    )

    def run(*scripts: str, asynchronous: bool = False) -> Running:
        modify = MODIFY.replace("ASYNCHRONOUS", str(asynchronous).lower())
        for number, lua in enumerate(scripts):
            gateway.script(f"{number}.lua", modify + lua)
        gateway.start()
        return Running(gateway, http)

    base = f"http://127.0.0.1:{gateway.http_port}"
    with httpx.Client(base_url=base, timeout=60) as http:
        yield run
    if gateway.is_running:
        gateway.terminate()


@pytest.mark.parametrize(
    ("scripts", "asynchronous", "left"),
    [
        pytest.param([REPLACES], False, 1, id="replaces what was stored"),
        pytest.param(
            [MODIFIES_STUDIES],
            False,
            LIMIT + 1,
            id="modifies stable studies",
            marks=pytest.mark.long,
        ),
        pytest.param(
            [MODIFIES_STUDIES], True, LIMIT + 1, id="in the background", marks=pytest.mark.long
        ),
        pytest.param(
            [ANSWERS_JOBS],
            True,
            LIMIT + 1,
            id="answers the end of its own jobs",
            marks=pytest.mark.long,
        ),
        pytest.param(
            [ANSWERS_NOTES], False, LIMIT + 1, id="answers its own notes", marks=pytest.mark.long
        ),
        pytest.param(
            [ANSWERS_DELETIONS], False, 0, id="answers its own deletions", marks=pytest.mark.long
        ),
        pytest.param([ANSWERS_A, ANSWERS_B], False, LIMIT + 1, id="two answer each other"),
        pytest.param(
            [SENDS_LINES], False, LIMIT + 1, id="by lines that it sends", marks=pytest.mark.long
        ),
    ],
)
def test_a_loop_ends_and_the_event_at_its_end_is_kept_with_the_reason(
    run, scripts, asynchronous, left
):
    gateway = run(*scripts, asynchronous=asynchronous)
    gateway.receive()
    gateway.until_stopped()
    assert len(gateway.instances) == left
    assert gateway.loops_counted() == 1
    assert [line["kind"] for line in gateway.gateway.events("instance refused")] == ["loop"]
    reason = f"a loop: scripts have answered what scripts have stored {LIMIT} times in a row"
    logged = gateway.gateway.events("event parked")
    assert [reason in str(line["reason"]) for line in logged] == [True]
    (parked,) = gateway.gateway.parked_events()
    assert reason in parked.error
    assert reason in gateway.gateway.lanes()[parked.lane].last_error


def test_a_plan_that_loops_ends_and_the_last_image_is_kept(run):
    gateway = run(PLANS)
    gateway.receive()
    gateway.until_stopped()
    assert len(gateway.instances) == 1
    listed = gateway.gateway.command("queue", "list")
    assert "parked" in listed
    assert "a loop" in listed


@pytest.mark.long
def test_a_loop_goes_on_no_further_when_the_gateway_is_killed_in_it(run):
    gateway = run(MODIFIES_STUDIES, asynchronous=True)
    gateway.receive()
    wait_until(lambda: len(gateway.instances) > 1, TIMEOUT_S)
    gateway.gateway.kill()
    gateway.gateway.start()
    gateway.until_stopped()
    assert len(gateway.instances) <= LIMIT + 2  # a job that was killed may be submitted again
