"""Legacy scripts, one use case or mistake each, do in the gateway what they do in a real Orthanc.

tests/peers/legacy holds them, and tests/legacy_support.py says how they run. What they print, and
what is stored, sent to a modality, to a peer and to a web server in the end, is compared.
"""

import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from legacy_support import KINDS, LegacyScript, Node, Outcome, legacy_pair, legacy_scripts
from orthanc_peer import ORTHANC
from waiting import wait_until

from gateway.scripting.callbacks import CALLBACKS

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
    pytest.mark.skipif(not shutil.which("dcmodify"), reason="dcmodify is not installed"),
    pytest.mark.skipif(not shutil.which("gdcmconv"), reason="gdcmconv is not installed"),
]

SCRIPTS = legacy_scripts()
_TIMEOUT_S = 60.0  # from the last image on
_AT_LEAST_S = 2.0  # for each script: what one gets wrong must not cost every other its time


@dataclass(frozen=True)
class Unlike:
    """A script that does something else here. docs/differences-from-orthanc.md tells users.

    orthanc_says, gateway_says: what each prints. gateway_sees: how many of some kinds there are
    here, where that is another number; all other kinds are compared.
    """

    why: str
    orthanc_says: list[str] = field(default_factory=list)
    gateway_says: list[str] = field(default_factory=list)
    gateway_sees: dict[str, int] = field(default_factory=dict)


_AT_ITS_LINE = "what cannot be planned is an error at its line, and nothing is done"
_CAN_PLAN = "every callback of an event can plan; Orthanc forgets what these do"
_KEPT = "what was not delivered or done keeps the instance"
UNLIKE = {
    "delete_after_failed_command": Unlike(_KEPT, gateway_sees={"stored": 1}),
    "delete_after_failure": Unlike(_KEPT, gateway_sees={"stored": 1}),
    "delete_then_send": Unlike(
        "a step keeps the file that it needs", ["planned"], ["planned"], {"archive": 1}
    ),
    "heartbeat": Unlike("as in later versions", [], ["beat, 1", "beat, 2"]),
    "heartbeat_acts": Unlike("as in later versions", [], ["found, true"], {"stored": 0}),
    "later_functions": Unlike(
        "as in later versions",
        ["nil, nil", "nil, nil, nil", "not there"],
        ["function, function", "function, function, function", "x, nil, true, nil"],
    ),
    "modify_unknown_tag": Unlike(_AT_ITS_LINE, ["planned"], ["FAILED"]),
    "outgoing_filter": Unlike(
        "as in later versions", [], ["ARCHIVE, 127.0.0.1"], {"archive": 0}
    ),
    "plan_in_heartbeat": Unlike("as in later versions", gateway_sees={"stored": 0, "archive": 1}),
    "plan_in_deleted": Unlike(_CAN_PLAN, gateway_sees={"archive": 1}),
    "plan_in_job_success": Unlike(_CAN_PLAN, gateway_sees={"stored": 0, "archive": 2}),
    "plan_in_updated": Unlike(_CAN_PLAN, gateway_sees={"archive": 1}),
    "private_tags": Unlike(
        "private elements have names in callbacks, too",
        ["nil, nil, true", "simplified, mine", "mine"],
        ["OURS, mine, false", "simplified, mine", "mine"],
    ),
    "rest_delete_study": Unlike(
        "from the instance upwards",
        ["deleted, true", "gone, nil", "OnDeletedInstance, instance", "OnDeletedSeries, series",
         "OnDeletedPatient, patient", "OnDeletedStudy, study"],
        ["deleted, true", "gone, nil", "OnDeletedInstance, instance", "OnDeletedSeries, series",
         "OnDeletedStudy, study", "OnDeletedPatient, patient"],
    ),
    "rest_labels": Unlike("as in later versions", ["false", "nil"], ["true", '["urgent"]']),
    "second_result": Unlike(
        "a second result says why there is none",
        ["instance, nil", "1"],
        ["instance, nil, 404 Not Found", "2"],
    ),
    "send_something_else": Unlike(_AT_ITS_LINE, ["planned"], ["FAILED"]),
    "send_to_unknown_name": Unlike(_AT_ITS_LINE, ["planned"], ["FAILED"]),
    "send_without_name": Unlike(_AT_ITS_LINE, [], ["FAILED"]),
    "stable_study_reads_patient_id": Unlike(
        "a study is told with its patient's tags",
        ["study of nil"],
        ["study of stable_study_reads_patient_id"],
    ),
    "syntax_switches": Unlike("as up to 1.8.2", [], ["asked, SWITCHES, 127.0.0.1"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Orthanc and the gateway, to which the images of all scripts have come."""
    with legacy_pair(tmp_path_factory.mktemp("legacy"), SCRIPTS) as nodes:
        _bring(nodes, [script for script in SCRIPTS.values() if script.phase == 1])
        yield nodes


@pytest.fixture(scope="module")
def deadline_s(nodes: tuple[Node, Node]) -> float:
    """When all scripts should have done all, by the monotonic clock."""
    return time.monotonic() + _TIMEOUT_S


def _bring(nodes: tuple[Node, Node], scripts: list[LegacyScript]) -> None:
    def bring(node: Node) -> None:
        for script in scripts:
            node.send(script)
        for script in scripts:
            for request in script.requests:
                node.scripted.server.ask(request)

    with ThreadPoolExecutor() as pool:
        list(pool.map(bring, nodes))


def _assert_done_alike(script: LegacyScript, nodes: tuple[Node, Node], deadline_s: float) -> None:
    """Wait until both have done what they are to do, and compare it."""
    seen: list[Outcome] = []
    unlike = UNLIKE.get(script.name, Unlike(""))

    def is_as_expected() -> bool:
        seen[:] = [node.outcome(script.name) for node in nodes]
        return not _faults(script, unlike, *seen)

    try:
        wait_until(is_as_expected, max(_AT_LEAST_S, deadline_s - time.monotonic()))
    except AssertionError:
        pytest.fail("\n".join(_faults(script, unlike, *seen)))


def _faults(script: LegacyScript, unlike: Unlike, theirs: Outcome, ours: Outcome) -> list[str]:
    says_alike = unlike.orthanc_says == unlike.gateway_says
    faults = []
    for kind in KINDS:
        if kind == "says" and not says_alike:
            expected: tuple[Any, Any] = (unlike.orthanc_says, unlike.gateway_says)
            found: tuple[Any, Any] = (theirs[kind], ours[kind])
        else:
            wanted = script.sees[kind]
            expected = (wanted, unlike.gateway_sees.get(kind, wanted))
            found = (len(theirs[kind]), len(ours[kind]))
        if found != expected:
            faults.append(f"{kind}: Orthanc and the gateway: {found}, and not {expected}")
        elif expected[0] == expected[1] and theirs[kind] != ours[kind]:
            faults.append(f"{kind}: Orthanc: {theirs[kind]}\nthe gateway: {ours[kind]}")
    return faults


def _named(phase: int) -> list[str]:
    return [name for name, script in SCRIPTS.items() if script.phase == phase]


@pytest.mark.parametrize("name", _named(1))
def test_a_legacy_script_does_what_it_does_in_orthanc(
    nodes: tuple[Node, Node], deadline_s: float, name: str
) -> None:
    _assert_done_alike(SCRIPTS[name], nodes, deadline_s)


def test_every_callback_is_some_scripts_business() -> None:
    sources = "\n".join(script.source for script in SCRIPTS.values())
    missing = {each.name for each in CALLBACKS if not re.search(rf"\b{each.name}\b", sources)}

    assert missing == {"ReceivedCStoreInstanceFilter", "Finalize"}  # see test_orthanc_lua_events.py


def test_jobs_end_alike(nodes: tuple[Node, Node]) -> None:
    """Orthanc makes a job of an archive that is answered at once, too."""
    theirs, ours = ([job for job in node.jobs() if job[0] != "Archive"] for node in nodes)
    assert ours == theirs
    assert len(ours) > 10


@pytest.mark.parametrize("name", _named(2))
def test_what_changes_the_requests_that_follow_does_what_it_does_in_orthanc(
    nodes: tuple[Node, Node], name: str
) -> None:
    _bring(nodes, [SCRIPTS[name]])
    _assert_done_alike(SCRIPTS[name], nodes, time.monotonic() + _TIMEOUT_S)


def test_nothing_more_has_come_of_any_script(nodes: tuple[Node, Node]) -> None:
    theirs, ours = (node.outcomes(SCRIPTS) for node in nodes)
    for name, script in SCRIPTS.items():
        assert not _faults(script, UNLIKE.get(name, Unlike("")), theirs[name], ours[name]), name
