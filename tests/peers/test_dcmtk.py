"""DCMTK as the modality, and as the destination."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dimse_support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    J2K,
    JPEG_BASELINE,
    VERIFICATION,
    data_set_of,
    receiving,
)
from images import make_ct
from ports import free_port
from waiting import wait_until

from gateway.config.models import Destination
from gateway.dimse.contexts import Context, Need, choose, propose
from gateway.dimse.files import echo, send_files
from gateway.dimse.sender import open_association
from gateway.errors import NoAcceptableSyntax

PROGRAMS = ["storescu", "storescp", "echoscu"]
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"DCMTK is not installed: no {', '.join(MISSING)}"),
]

# Without it DCMTK leaves Nagle's algorithm on and each message waits for an acknowledgement.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """DCMTK's receiver, storing bit by bit what it gets; answers its port."""
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(
        ["storescp", "-od", str(folder), "+B", *options, str(port)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def send_all(port: int, paths: list[Path]) -> dict[Path, object]:
    results: dict[Path, object] = {}
    send_files(
        paths,
        "127.0.0.1",
        port,
        called_aet="STORESCP",
        calling_aet="GATEWAY",
        on_result=results.__setitem__,
    )
    return results


# --- as the modality -------------------------------------------------------------------------


def test_echoscu_is_answered(tmp_path):
    with receiving(tmp_path / "in") as running:
        result = run("echoscu", "127.0.0.1", running.port)
    assert result.returncode == 0, result.stderr


def test_storescu_s_images_are_kept_byte_for_byte(tmp_path):
    paths = [make_ct(tmp_path / f"{number}.dcm", pixel_bytes=200_000) for number in range(5)]
    with receiving(tmp_path / "in") as running:
        result = run("storescu", "-aet", "CT1", "127.0.0.1", running.port, *paths)
        assert result.returncode == 0, result.stderr
        assert [kept.data for kept in running.ingest.kept] == [data_set_of(p) for p in paths]
        assert {kept.origin.calling_aet for kept in running.ingest.kept} == {"CT1"}


@pytest.mark.parametrize(
    ("option", "syntax"),
    [("-xv", J2K), ("-xy", JPEG_BASELINE), ("-xi", IMPLICIT), ("-xe", EXPLICIT)],
)
def test_storescu_may_propose_what_it_likes(tmp_path, option, syntax):
    path = make_ct(tmp_path / "a.dcm", syntax=syntax)
    with receiving(tmp_path / "in") as running:
        result = run("storescu", option, "127.0.0.1", running.port, path)
        assert result.returncode == 0, result.stderr
        assert running.ingest.kept[0].transfer_syntax_uid == syntax
        assert running.ingest.kept[0].data == data_set_of(path)


@pytest.mark.parametrize("pdu_bytes", [4096, 16384, 131072])
def test_storescu_may_have_any_pdu_length(tmp_path, pdu_bytes):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=500_000)
    with receiving(tmp_path / "in", maximum_pdu_bytes=pdu_bytes) as running:
        result = run("storescu", "-pdu", pdu_bytes, "127.0.0.1", running.port, path)
        assert result.returncode == 0, result.stderr
        assert running.ingest.kept[0].data == data_set_of(path)


def test_four_storescu_at_once_are_served_side_by_side(tmp_path):
    paths = [make_ct(tmp_path / f"{number}.dcm", pixel_bytes=100_000) for number in range(40)]
    with receiving(tmp_path / "in") as running:
        senders = [
            subprocess.Popen(
                ["storescu", "127.0.0.1", str(running.port), *map(str, paths[start::4])],
                env=ENVIRONMENT,
            )
            for start in range(4)
        ]
        assert [sender.wait(60) for sender in senders] == [0] * 4
        kept = {one.sop_instance_uid: one.data for one in running.ingest.kept}
    assert sorted(kept.values()) == sorted(data_set_of(path) for path in paths)


def test_storescu_that_aborts_leaves_nothing_open(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running:
        run("storescu", "--abort", "127.0.0.1", running.port, path)
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        assert len(running.ingest.kept) == 1
        assert running.ingest.leftovers == []


def test_storescu_is_told_which_limit_it_met(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in", check_called_aet=True, aet="OTHER") as running:
        result = run("storescu", "-v", "127.0.0.1", running.port, path)
    assert result.returncode != 0
    assert "Called AE Title Not Recognized" in result.stdout + result.stderr


# --- as the destination ----------------------------------------------------------------------


def test_storescp_answers_our_echo(tmp_path):
    with storescp(tmp_path / "out") as port:
        echo("127.0.0.1", port, called_aet="STORESCP", calling_aet="GATEWAY")


@pytest.mark.parametrize("option", ["-pdu", None])
def test_storescp_writes_the_data_set_that_we_have(tmp_path, option):
    paths = [make_ct(tmp_path / f"{n}.dcm", pixel_bytes=300_000) for n in range(5)]
    options = [option, "131072"] if option else []
    with storescp(tmp_path / "out", *options) as port:
        assert send_all(port, paths) == dict.fromkeys(paths)
    written = [data_set_of(path) for path in (tmp_path / "out").iterdir()]
    assert sorted(written) == sorted(data_set_of(path) for path in paths)


@pytest.mark.parametrize(
    ("option", "accepted"),
    [
        ("+x=", {EXPLICIT, IMPLICIT}),
        ("+xi", {IMPLICIT}),
        ("+xv", {J2K, EXPLICIT, IMPLICIT}),
        ("+xa", {J2K, EXPLICIT, IMPLICIT}),
    ],
)
def test_what_storescp_accepts_decides_what_is_sent(tmp_path, option, accepted):
    destination = Destination(aet="STORESCP", host="127.0.0.1", port=1)
    path = make_ct(tmp_path / "a.dcm", syntax=J2K)
    need = Need(CT, J2K, ("*",))
    with storescp(tmp_path / "out", option) as port:
        association = open_association(
            destination.model_copy(update={"port": port}),
            calling_aet="GATEWAY",
            contexts=propose([need]),
        )
        assert association.accepted(CT) == accepted
        chosen = next(iter(choose(need, association.accepted(CT)).ladder), J2K)
        if chosen == J2K:
            association.store(path)
        else:
            with pytest.raises(NoAcceptableSyntax):
                association.store(path)
            association.store(make_ct(tmp_path / "b.dcm", syntax=chosen))
        association.release()
    (written,) = (tmp_path / "out").iterdir()
    assert data_set_of(written) == data_set_of(path if chosen == J2K else tmp_path / "b.dcm")


def test_an_association_to_storescp_serves_echo_and_store_in_turn(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with storescp(tmp_path / "out") as port:
        association = open_association(
            Destination(aet="STORESCP", host="127.0.0.1", port=port),
            calling_aet="GATEWAY",
            contexts=[Context(CT, EXPLICIT), Context(VERIFICATION, IMPLICIT)],
        )
        association.echo()
        association.store(path)
        association.echo()
        assert association.is_alive
        association.release()
