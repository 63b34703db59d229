"""Which files a command takes of the folders that it is given."""

import os
from pathlib import Path

import pytest

from gateway.cli.folders import walk


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(*folders: Path, **options) -> list[str]:
    return [str(each.relative) for each in walk(folders, **options)]


def test_files_come_in_order_and_before_subfolders(tmp_path):
    plant(tmp_path, "b/2", "b/1", "z", "a/c/1", "a/1")
    assert found(tmp_path) == ["z", "a/1", "a/c/1", "b/1", "b/2"]


def test_hidden_files_and_dicomdir_are_not_taken(tmp_path):
    plant(tmp_path, ".a", ".b/1", "DICOMDIR", "c/.d", "c/DICOMDIR", "c/1")
    assert found(tmp_path) == ["c/1"]


def test_a_hidden_folder_that_is_named_is_taken(tmp_path):
    assert found(plant(tmp_path / ".hidden", "1")) == ["1"]


def test_several_trees_are_one(tmp_path):
    one = plant(tmp_path / "one", "1", "a/1", "c/1")
    two = plant(tmp_path / "two", "2", "a/1", "a/2", "b/1")
    assert found(one, two) == ["1", "2", "a/1", "a/2", "b/1", "c/1"]
    paths = {str(each.relative): each.paths for each in walk([one, two])}
    assert paths["a/1"] == (one / "a/1", two / "a/1")
    assert paths["a/2"] == (two / "a/2",)


def test_a_file_and_a_folder_of_one_name_are_both_found(tmp_path):
    one = plant(tmp_path / "one", "a")
    two = plant(tmp_path / "two", "a/1")
    assert found(one, two) == ["a", "a/1"]


def test_one_folder_is_left_out(tmp_path):
    plant(tmp_path, "1", "out/1", "a/out/1")
    assert found(tmp_path, excluding=tmp_path / "out") == ["1", "a/out/1"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path):
    root = plant(tmp_path / "root", "a/1")
    (root / "file").symlink_to(root / "a/1")
    (root / "folder").symlink_to(root / "a")
    (root / "a/loop").symlink_to(root)
    assert found(root) == ["file", "a/1"]


def test_a_link_to_itself_is_left_to_who_opens_it(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert found(tmp_path) == ["loop"]


def test_what_is_no_file_is_not_taken(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == []


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_walked(tmp_path, monkeypatch):
    plant(tmp_path, "a/1", "b/1")
    scandir = os.scandir

    def denied(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    errors: list[OSError] = []
    assert found(tmp_path, unreadable=errors.append) == ["b/1"]
    assert [error.filename for error in errors] == [str(tmp_path / "a")]
    with pytest.raises(PermissionError):
        found(tmp_path)
