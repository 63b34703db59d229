"""The whole gateway as its administrator meets it: a real process, real sockets, real scripts."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from archive import EVERYTHING, Archive
from gateway_process import GatewayProcess
from images import made_ct, make_ct, save
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from waiting import wait_until

from gateway.dimse.files import send_files
from gateway.model import TaskRow, TaskState

pytestmark = pytest.mark.slow

FORWARD = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  Forward(instanceId, '%s')
end
"""
# The limits of scripts that come to theirs, and of those that end by themselves.
BRIEFLY_S, LONG_S = 0.3, 30.0
QUICK_RETRIES = "retry.first_delay_s = 0.2\nretry.maximum_delay_s = 0.5\nretry.jitter = 0\n"


@contextmanager
def routed(
    folder: Path, lua: str = FORWARD % "archive", syntaxes: Sequence[str] = EVERYTHING
) -> Iterator[tuple[GatewayProcess, Archive]]:
    """A gateway with route.lua, and its destination `archive`, which is up."""
    archive = Archive(syntaxes)
    gateway = GatewayProcess(folder, archive.destination("archive"))
    gateway.script("route.lua", lua)
    with archive.listening(), gateway:
        yield gateway, archive


def send(gateway: GatewayProcess, folder: Path, images: int = 1) -> None:
    """Send so many new images; every one must be acknowledged."""
    folder.mkdir(exist_ok=True)
    offset = len(list(folder.iterdir()))
    send_made(gateway, *(make_ct(folder / f"{offset + n}.dcm") for n in range(images)))


def send_made(gateway: GatewayProcess, *paths: Path) -> None:
    """Send these files; every one must be acknowledged."""
    sent = send_files(
        paths, "127.0.0.1", gateway.port, called_aet="GATEWAY", calling_aet="CT",
        on_result=lambda path, error: None,
    )  # fmt: skip
    assert sent == len(paths)


def parked_tasks(gateway: GatewayProcess) -> list[TaskRow]:
    return [task for task in gateway.tasks() if task.state == TaskState.PARKED]


class TestScripts:
    def test_a_dropped_script_works_without_a_restart(self, tmp_path: Path):
        archive = Archive()
        with (
            archive.listening(),
            GatewayProcess(tmp_path, archive.destination("archive")) as gateway,
        ):
            send(gateway, tmp_path / "before")
            gateway.script("route.lua", FORWARD % "archive")
            gateway.loaded()
            send(gateway, tmp_path / "after", 3)
            archive.wait_for(3)
            assert len(archive.deliveries) == 3  # a new script begins with what comes after it

    def test_a_typo_is_reported_with_file_and_line_and_the_last_good_version_goes_on(
        self, tmp_path: Path
    ):
        with routed(tmp_path) as (gateway, archive):
            gateway.script("route.lua", "function OnStoredInstance(instanceId)\n  Forward(\nend\n")
            fault = wait_until(lambda: gateway.lanes()["route.lua"].fault)
            assert "route.lua:3:" in str(fault)
            send(gateway, tmp_path / "images", 2)
            archive.wait_for(2)
            assert gateway.lanes()["route.lua"].events_handled == 2

    @pytest.mark.long
    def test_a_removed_script_is_not_called_any_more(self, tmp_path: Path):
        with routed(tmp_path) as (gateway, archive):
            gateway.script("other.lua", "function OnStoredInstance() end")
            gateway.loaded(2)
            (tmp_path / "scripts" / "route.lua").unlink()
            wait_until(lambda: not gateway.lanes()["route.lua"].active)
            send(gateway, tmp_path / "images")
            wait_until(lambda: gateway.lanes()["other.lua"].events_handled == 1)
            assert not archive.deliveries

    def test_scripts_that_misbehave_delay_nobody_and_their_events_are_parked(self, tmp_path: Path):
        bad = {
            "loops.lua": ("while true do end", "script-timeout", BRIEFLY_S),
            "sleeps.lua": ("os.execute('sleep 600')", "script-timeout", BRIEFLY_S),
            "hoards.lua": ("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
                           "script-memory", LONG_S),
            "recurses.lua": ("local function f() return 1 + f() end f()", "script-error", LONG_S),
            "exits.lua": ("os.exit(1)", "script-error", LONG_S),
            "raises.lua": ("error('no')", "script-error", LONG_S),
        }  # fmt: skip
        with routed(tmp_path) as (gateway, archive):
            for name, (body, _, limit_s) in bad.items():
                head = f"-- gateway: timeout={limit_s:g}\n"
                gateway.script(name, f"{head}function OnStoredInstance()\n  {body}\nend\n")
            gateway.loaded(7)
            send(gateway, tmp_path / "images", 5)
            archive.wait_for(5)  # long before the bad ones have come to their limits
            wait_until(lambda: {e.lane for e in gateway.parked_events()} == bad.keys(), 60)
            kinds = {e.lane: e.error_kind for e in gateway.parked_events()}
            assert kinds == {name: kind for name, (_, kind, _) in bad.items()}
            assert gateway.is_ready()
            assert gateway.lanes()["route.lua"].events_handled == 5

    def test_a_parked_event_is_replayed_with_the_mended_script(self, tmp_path: Path):
        with routed(tmp_path, FORWARD % "archvie") as (gateway, archive):
            send(gateway, tmp_path / "images", 2)
            parked = wait_until(lambda: len(found := gateway.parked_events()) == 2 and found)
            assert all("archvie" in event.error for event in parked)
            gateway.script("route.lua", FORWARD % "archive")
            gateway.loaded(2)
            gateway.command("queue", "retry", "--all")
            archive.wait_for(2)
            wait_until(gateway.is_idle)


class TestDestinations:
    def test_one_that_is_down_delays_nobody_and_gets_everything_when_it_is_back(
        self, tmp_path: Path
    ):
        up, down = Archive(), Archive()
        toml = QUICK_RETRIES + up.destination("up") + down.destination("down")
        with up.listening(), GatewayProcess(tmp_path, toml) as gateway:
            gateway.script("up.lua", FORWARD % "up")
            gateway.script("down.lua", FORWARD % "down")
            gateway.loaded(2)
            send(gateway, tmp_path / "images", 10)
            up.wait_for(10)
            wait_until(lambda: [task.error_kind for task in gateway.tasks()].count(
                "remote-unreachable") == 10)  # fmt: skip
            assert all(task.attempts == 0 for task in gateway.tasks())
            with down.listening():
                down.wait_for(10)
                wait_until(gateway.is_idle)

    @pytest.mark.long
    def test_one_that_is_left_alone_is_tried_at_once_when_an_administrator_says_retry(
        self, tmp_path: Path
    ):
        archive = Archive()
        toml = "retry.first_delay_s = 600\n" + archive.destination("archive")
        with GatewayProcess(tmp_path, toml) as gateway:
            gateway.script("route.lua", FORWARD % "archive")
            gateway.loaded()
            send(gateway, tmp_path / "images", 3)
            wait_until(lambda: gateway.events("destination in trouble, its instances wait"))
            with archive.listening():
                gateway.command("queue", "retry", "--all", "--state", "waiting")
                archive.wait_for(3)

    def test_one_that_takes_only_uncompressed_images_gets_them_uncompressed(self, tmp_path: Path):
        lua = (
            "function OnStoredInstance(id)"
            " Forward(Transcode(id, 'JPEG2000Lossless'), 'archive') end"
        )
        with routed(tmp_path, lua, [ImplicitVRLittleEndian]) as (gateway, archive):
            send(gateway, tmp_path / "images", 3)
            archive.wait_for(3)

    def test_one_that_takes_no_syntax_we_can_make_is_told_in_the_queue(self, tmp_path: Path):
        with routed(tmp_path, syntaxes=["1.2.840.10008.1.2.4.100"]) as (gateway, _archive):
            send(gateway, tmp_path / "images")
            (parked,) = wait_until(lambda: parked_tasks(gateway))
            assert parked.error_kind == "no-acceptable-syntax"

    @pytest.mark.long
    def test_one_that_the_configuration_does_not_name_any_more_is_told_at_the_start(
        self, tmp_path: Path
    ):
        with GatewayProcess(tmp_path, Archive().destination("old-pacs")) as gateway:
            gateway.script("route.lua", FORWARD % "old-pacs")
            gateway.loaded()
            send(gateway, tmp_path / "images")
            wait_until(lambda: gateway.events("destination in trouble, its instances wait"))
        with GatewayProcess(tmp_path) as gateway:
            (told,) = gateway.events("tasks wait for a destination that is not configured")
            assert told["destination"] == "old-pacs"


class TestDamagedImages:
    def test_an_image_that_no_codec_can_read_is_parked_and_the_next_one_goes_on(
        self, tmp_path: Path
    ):
        lua = "function OnStoredInstance(id) Forward(Transcode(id, 'j2k'), 'archive') end"
        with routed(tmp_path, lua) as (gateway, archive):
            send_made(gateway, make_ct(tmp_path / "damaged.dcm", syntax=JPEGBaseline8Bit))
            send(gateway, tmp_path / "images", 2)
            archive.wait_for(2)
            (parked,) = wait_until(lambda: parked_tasks(gateway))
            assert parked.error
            # What has arrived may be in hand for a moment longer.
            wait_until(lambda: len(gateway.tasks()) == 2)
            states = {task.action: task.state for task in gateway.tasks()}
            assert states == {"transcode": "parked", "forward": "blocked"}


class TestTranscoding:
    def test_what_may_lose_goes_as_an_instance_of_its_own_and_the_rest_without_loss(
        self, tmp_path: Path
    ):
        lua = (
            "local SMALL = transcode_ladder('jpeg', 'j2k')\n"
            "function OnStoredInstance(id)"
            " Forward(Transcode(id, SMALL, {quality = 80}), 'archive') end"
        )
        eight_bits = made_ct(
            1, rows=64, columns=64, BitsAllocated=8, BitsStored=8, HighBit=7,
            PixelData=bytes(x * y // 16 % 256 for x in range(64) for y in range(64)),
        )  # fmt: skip
        twelve_bits = made_ct(2, rows=64, columns=64)
        with routed(tmp_path, lua, [*EVERYTHING, JPEGBaseline8Bit]) as (gateway, archive):
            send_made(gateway, save(eight_bits, tmp_path / "8"), save(twelve_bits, tmp_path / "12"))
            archive.wait_for(2)
            wait_until(gateway.is_idle)
            made = {line["syntax_after"]: line for line in gateway.events("instance transcoded")}
            gateway.kill()
            gateway.start()  # files whose UIDs are not those of their instances are none to adopt
            (recovered,) = gateway.events("recovery done")[1:]
            assert not {"adopted", "rows_damaged", "derived_removed"} & recovered.keys()
        assert made["JPEGBaseline8Bit"]["lossy"] is True
        assert "JPEGBaseline8Bit" in str(made["JPEG2000Lossless"]["refused"])
        lossy_uid = str(made["JPEGBaseline8Bit"]["sop_instance_uid"])
        assert archive.deliveries == {lossy_uid: 1, str(twelve_bits.SOPInstanceUID): 1}
        assert lossy_uid.startswith("2.25.")

    @pytest.mark.long
    def test_a_lossy_replacement_is_refused_at_its_line(self, tmp_path: Path):
        lua = "function OnStoredInstance(id)\n Transcode(id, 'jpeg', {replace = true}) end"
        with routed(tmp_path, lua) as (gateway, _archive):
            send(gateway, tmp_path / "images")
            (parked,) = wait_until(gateway.parked_events)
        assert "route.lua:2: " in parked.error
        assert "keep_uid" in parked.error


class TestStopping:
    def test_sigterm_ends_it_with_success_and_nothing_is_lost_of_what_was_in_work(
        self, tmp_path: Path
    ):
        with routed(tmp_path) as (gateway, archive):
            send(gateway, tmp_path / "images", 30)
            assert gateway.terminate() == 0
            gateway.start()
            archive.wait_for(30)

    @pytest.mark.long
    def test_a_second_gateway_on_the_same_folder_is_refused(self, tmp_path: Path):
        with GatewayProcess(tmp_path) as gateway:
            second = gateway.attempt("run")
            assert second.stdout == ""
            assert gateway.is_ready()

    @pytest.mark.long
    def test_a_file_without_a_row_is_an_arrival_again(self, tmp_path: Path):
        with routed(tmp_path) as (gateway, archive):
            send(gateway, tmp_path / "images", 3)
            archive.wait_for(3)
            gateway.terminate()
            for index in (tmp_path / "data").glob("index.sqlite*"):
                index.unlink()  # the worst that can happen to it
            gateway.start()
            assert len(gateway.events("entered a file without a row again")) == 3


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("storescu"), reason="DCMTK (storescu) is not installed")
class TestDcmtk:
    def test_storescu_sends_and_storescp_receives_through_a_script(self, tmp_path: Path):
        received = tmp_path / "received"
        received.mkdir()
        archive = Archive()  # only for its free port: storescp is the destination
        environment = os.environ | {"TCP_NODELAY": "1"}
        scp = subprocess.Popen(
            ["storescp", "-aet", "ARCHIVE", "+xv", "-od", received, str(archive.port)],
            env=environment,
        )
        try:
            with GatewayProcess(
                tmp_path, QUICK_RETRIES + archive.destination("archive")
            ) as gateway:
                gateway.script(
                    "route.lua",
                    "function OnStoredInstance(id)"
                    " Delete(Forward(Transcode(id, 'JPEG2000Lossless'), 'archive')) end",
                )
                gateway.loaded()
                images = [make_ct(tmp_path / f"{number}.dcm") for number in range(5)]
                subprocess.run(
                    ["storescu", "-aec", "GATEWAY", "127.0.0.1", str(gateway.port), *images],
                    env=environment, check=True, timeout=60,
                )  # fmt: skip
                wait_until(lambda: len(list(received.iterdir())) == 5, 60)
                wait_until(lambda: not list((tmp_path / "data" / "files").glob("*/*/*.dcm")), 30)
        finally:
            scp.send_signal(signal.SIGTERM)
            scp.wait(30)


@pytest.mark.long
def test_the_same_image_again_makes_no_second_event(tmp_path: Path):
    with routed(tmp_path, syntaxes=[ExplicitVRLittleEndian]) as (gateway, archive):
        image = make_ct(tmp_path / "image.dcm", sop_class=str(CTImageStorage))
        for _ in range(3):
            send_made(gateway, image)
        archive.wait_for(1)
        wait_until(lambda: gateway.lanes()["route.lua"].events_handled == 1)
        assert [len(gateway.events(f"instance {kind}")) for kind in ("stored", "identical")] == [
            1,
            2,
        ]
