"""What may be wrong with [[follow]], and what is worth knowing of it."""

from pathlib import Path

import pytest

from gateway.config.check import examine
from gateway.config.loader import inspect, load


def faults(folder: Path, toml: str) -> list[str]:
    (folder / "gateway.toml").write_text(toml)
    return [str(fault) for fault in inspect(folder / "gateway.toml", {})[1]]


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[[follow]]\nurl = 'old.example'\n", "follow[1].url"),
        ("[[follow]]\n", "follow[1].url: is missing"),
        ("[[follow]]\nurl = 'http://h/'\n[[follow]]\nurl = 'http://h/'\n", "follow[2].name"),
        ("[[follow]]\nurl = 'http://localhost:8042'\n", "this gateway's own"),
        ("[[follow]]\nurl = 'http://alice:secret@h/'\n", "say who we are with username"),
        ("[[follow]]\nurl = 'http://h/'\nstart = 'yesterday'\n", "follow[1].start"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, toml, told):
    (fault,) = faults(tmp_path, toml)
    assert told in fault
    assert "secret" not in fault


def test_servers_at_the_same_place_may_be_followed_under_different_names(tmp_path):
    assert not faults(
        tmp_path,
        "[[follow]]\nname = 'a'\nurl = 'http://h/'\n[[follow]]\nname = 'b'\nurl = 'http://h/'\n",
    )


def test_the_check_tells_what_a_certificate_cannot_do(tmp_path):
    (tmp_path / "gateway.toml").write_text(
        "dicom.port = 0\nhttp.port = 0\n"
        "[[follow]]\nurl = 'https://h/'\ntrusted_certificates = 'nobody.pem'\n"
    )
    (fault,) = examine(load(tmp_path / "gateway.toml", {})).faults
    assert fault.where == "follow[1].trusted_certificates"


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("url = 'http://h/'\nusername = 'alice'\npassword = 'secret'", "follow[1].password"),
        ("url = 'https://h/'\ncheck_certificate = false", "follow[1].check_certificate"),
    ],
)
def test_the_check_notes_what_somebody_else_could_do(tmp_path, toml, where):
    (tmp_path / "gateway.toml").write_text(f"dicom.port = 0\nhttp.port = 0\n[[follow]]\n{toml}\n")
    notes = examine(load(tmp_path / "gateway.toml", {})).notes
    assert where in {note.where for note in notes}
