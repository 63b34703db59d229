import os

import pytest

from gateway.scripting import sources
from gateway.scripting.sources import take_snapshot


def test_scripts_are_at_the_top_and_modules_anywhere(tmp_path):
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    for name in ("b.lua", "a.lua", "lib/m.lua", "lib/deep/n.lua"):
        (tmp_path / name).write_text(name)

    snapshot = take_snapshot(tmp_path)

    assert snapshot.scripts == ["a.lua", "b.lua"]
    assert snapshot.files["lib/deep/n.lua"] == b"lib/deep/n.lua"


def test_a_link_is_read_and_a_loop_of_links_ends(tmp_path):
    folder, elsewhere = tmp_path / "scripts", tmp_path / "elsewhere.lua"
    folder.mkdir()
    elsewhere.write_text("x")
    (folder / "linked.lua").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.lua").symlink_to(tmp_path / "none")

    assert dict(take_snapshot(folder).files) == {"linked.lua": b"x"}


def test_what_cannot_be_read_is_a_fault_and_hides_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAXIMUM_SOURCE_BYTES", 1 << 20)
    os.mkfifo(tmp_path / "pipe.lua")
    (tmp_path / "large.lua").write_bytes(b"-" * ((1 << 20) + 1))
    (tmp_path / "good.lua").write_text("x")

    snapshot = take_snapshot(tmp_path)

    assert {str(fault) for fault in snapshot.faults.values()} == {
        "pipe.lua: cannot be read: it is not a file",
        "large.lua: cannot be read: it is larger than 1 MB",
    }
    assert snapshot.scripts == ["good.lua", "large.lua", "pipe.lua"]


def test_a_folder_that_is_not_there_is_not_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        take_snapshot(tmp_path / "none")
