"""Where results go."""

from pathlib import Path

import pytest

from gateway.cli.mirror import InputsOverlap, Mirror


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plant(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def targets(*inputs: str, out: str = "out") -> dict[str, str]:
    mirror = Mirror([Path(name) for name in inputs], Path(out))
    items = mirror.items(lambda error: pytest.fail(str(error)))
    return {str(item.source): str(item.target) for item in items}


def test_the_tree_below_a_folder_is_mirrored():
    plant("study/1", "study/series/2")
    assert targets("study") == {"study/1": "out/1", "study/series/2": "out/series/2"}


def test_a_file_goes_into_the_output_folder_itself():
    plant("a/b/1.dcm")
    assert targets("a/b/1.dcm") == {"a/b/1.dcm": "out/1.dcm"}


def test_a_file_that_is_named_is_known_as_such():
    plant("1", "study/2")
    items = Mirror([Path("1"), Path("study")], Path("out")).items(lambda error: None)
    assert [(item.source.name, item.is_named) for item in items] == [("1", True), ("2", False)]


def test_several_folders_share_a_target_folder():
    plant("one/a/1", "two/a/2")
    assert targets("one", "two") == {"one/a/1": "out/a/1", "two/a/2": "out/a/2"}


def test_the_items_of_a_target_folder_follow_each_other():
    plant("one/a/1", "one/b/1", "two/a/2", "two/b/2", "two/3", "4")
    folders = [str(Path(target).parent) for target in targets("one", "4", "two").values()]
    assert folders == ["out", "out", "out/a", "out/a", "out/b", "out/b"]


@pytest.mark.parametrize(
    ("inputs", "target"),
    [
        (("one", "two"), "out/a/1"),
        (("one/a/1", "two/a"), "out/1"),
        (("one/a/1", "two/a/1"), "out/1"),
    ],
    ids=["in folders", "a file and one in a folder", "files"],
)
def test_two_that_would_have_the_same_target_are_named(inputs, target):
    plant("one/a/1", "two/a/1")
    with pytest.raises(InputsOverlap) as refusal:
        targets(*inputs)
    assert str(refusal.value) == f"one/a/1 and two/a/1 would both become {target}"


def test_what_is_said_twice_is_meant_once():
    plant("study/1", "2")
    Path("link").symlink_to("study")
    assert targets("study", "study/", "2", "./2", "link") == {"study/1": "out/1", "2": "out/2"}


def test_a_file_named_beside_its_folder_is_made_once():
    plant("study/1", "study/2")
    assert targets("study", "study/1") == {"study/1": "out/1", "study/2": "out/2"}


def test_two_links_to_one_file_are_two_results():
    plant("1")
    Path("a").symlink_to("1")
    Path("b").symlink_to("1")
    assert targets("a", "b") == {"a": "out/a", "b": "out/b"}


def test_the_output_folder_below_an_input_is_not_entered():
    plant("1", "out/2", "a/3")
    assert targets(".") == {"1": "out/1", "a/3": "out/a/3"}
    assert targets(".", out="./a/../out") == {"1": "a/../out/1", "a/3": "a/../out/a/3"}


@pytest.mark.parametrize("name", ["out", "out/1", "out/a", "link"])
def test_an_input_in_the_output_folder_is_refused(name):
    plant("out/1", "out/a/2")
    Path("link").symlink_to("out")
    with pytest.raises(InputsOverlap, match="is in the output folder out"):
        targets(name)
