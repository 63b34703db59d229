"""What `gateway check` knows about the machine before anything is started."""

import os
import socket
import subprocess

import pytest

from gateway.config.check import examine
from gateway.config.models import Configuration


@pytest.fixture
def configured(tmp_path):
    """A configuration that is right on this machine, with some keys changed."""

    def configured(**changes) -> Configuration:
        (tmp_path / "scripts").mkdir(exist_ok=True)
        sections = {
            "dicom": {"host": "127.0.0.1", "port": 0},
            "http": {"port": 0},
            "store": {"folder": tmp_path / "data", "minimum_free_mb": 0},
            "scripts": {"folder": tmp_path / "scripts"},
        }
        for section, keys in changes.items():
            sections.setdefault(section, {}).update(keys)
        return Configuration.model_validate(sections)

    return configured


def test_a_data_folder_that_can_be_created_is_fine_and_is_not_created(configured, tmp_path):
    report = examine(configured(store={"folder": tmp_path / "a" / "b"}))
    assert (report.faults, report.notes) == ((), ())
    assert not (tmp_path / "a").exists()


def test_a_data_folder_inside_a_file_is_a_fault(configured, tmp_path):
    (tmp_path / "file").touch()
    (fault,) = examine(configured(store={"folder": tmp_path / "file" / "data"})).faults
    assert str(fault) == f"store.folder: {tmp_path / 'file'} is not a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written_is_a_fault(configured, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    (fault,) = examine(configured(store={"folder": tmp_path / "closed"})).faults
    assert fault.where == "store.folder"


def test_too_little_room_is_a_fault(configured):
    (fault,) = examine(configured(store={"minimum_free_mb": 1 << 40})).faults
    assert fault.where == "store.minimum_free_mb"
    assert "every C-STORE would be refused" in fault.problem


def test_a_scripts_folder_that_is_a_file_is_a_fault(configured, tmp_path):
    (tmp_path / "file").touch()
    (fault,) = examine(configured(scripts={"folder": tmp_path / "file"})).faults
    assert fault.where == "scripts.folder"


def test_a_missing_scripts_folder_is_a_note(configured, tmp_path):
    report = examine(configured(scripts={"folder": tmp_path / "none"}))
    assert report.faults == ()
    assert [note.where for note in report.notes] == ["scripts.folder"]


def test_a_port_in_use_is_a_note_because_the_gateway_may_run(configured):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        report = examine(configured(dicom={"port": busy.getsockname()[1]}))
    assert report.faults == ()
    assert [note.where for note in report.notes] == ["dicom.port"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_of_this_machine_is_a_fault(configured, host):
    (fault,) = examine(configured(dicom={"host": host})).faults
    assert fault.where == "dicom.port"
    assert host in fault.problem


def test_http_is_not_looked_at_when_it_is_off(configured):
    assert examine(configured(http={"host": "192.0.2.1", "enabled": False})).faults == ()


def to(**settings: object) -> dict[str, object]:
    return {"teaching": {"aet": "T", "host": "t.example", "port": 104} | settings}


@pytest.mark.parametrize(
    ("syntaxes", "rate"),
    [(("*",), {"quality": 80}), (("JPEG*",), {"quality": 80}), (("j2k", "*"), {"ratio": 8.0}),
     (("jpeg",), {"max_error": 2})],
)  # fmt: skip
def test_a_rate_that_no_syntax_of_its_destination_knows_is_a_note(configured, syntaxes, rate):
    """Not a fault: a script may send to it in another syntax."""
    report = examine(configured(destinations=to(syntaxes=syntaxes, transcode=rate)))
    assert report.faults == ()
    assert [note.where for note in report.notes] == [
        f"destinations.teaching.transcode.{name}" for name in rate
    ]


def test_a_rate_that_some_syntax_knows_is_right(configured):
    settings = to(syntaxes=("jpeg", "*"), transcode={"quality": 80, "keep_uid": True})
    assert examine(configured(destinations=settings)).notes == ()


def test_an_interface_that_is_open_to_everybody_is_noted(configured):
    (note,) = examine(configured(http={"remote_access": True})).notes
    assert note.where == "http.remote_access"


def test_passwords_that_travel_legibly_are_noted(configured):
    http = {"remote_access": True, "users": {"alice": "secret"}}
    (note,) = examine(configured(http=http)).notes
    assert note.where == "http.users"
    assert "secret" not in str(note)


def test_an_interface_with_users_and_a_certificate_is_fine(configured, certificate):
    http = {
        "remote_access": True, "users": {"alice": "secret"},
        "certificate": certificate[0], "private_key": certificate[1],
    }  # fmt: skip
    report = examine(configured(http=http))
    assert (report.faults, report.notes) == ((), ())


@pytest.mark.parametrize("swapped", [True, False])
def test_a_certificate_without_its_key_is_a_fault(configured, certificate, tmp_path, swapped):
    missing = tmp_path / "missing.key"
    files = certificate[::-1] if swapped else (certificate[0], missing)
    http = {"certificate": files[0], "private_key": files[1]}
    (fault,) = examine(configured(http=http)).faults
    assert fault.where == "http.certificate"


def test_a_key_with_a_passphrase_is_a_fault_and_nobody_is_asked_for_it(
    configured, certificate, tmp_path
):
    locked = tmp_path / "locked.key"
    command = ["openssl", "ec", "-aes128", "-passout", "pass:secret", "-in", certificate[1]]
    subprocess.run([*command, "-out", locked], check=True, capture_output=True)
    http = {"certificate": certificate[0], "private_key": locked}
    (fault,) = examine(configured(http=http)).faults
    assert "passphrase" in fault.problem
