"""Orthanc's files are read as Orthanc 1.10.1 reads them."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config.orthanc_json import OrthancJson, read
from gateway.errors import ConfigurationInvalid


@pytest.fixture
def content(tmp_path):
    """`content(text, NAME=...)`: what a file of this text says, in that environment."""

    def content(text: str, **environment: str) -> dict[str, Any]:
        path = tmp_path / "orthanc.json"
        path.write_text(text, encoding="utf-8")
        return read([path], environment).content

    return content


@pytest.fixture
def fault(content):
    """`fault(text)`: the one thing that is wrong."""

    def fault(text: str, **environment: str) -> str:
        with pytest.raises(ConfigurationInvalid) as caught:
            content(text, **environment)
        (only,) = caught.value.faults
        return str(only)

    return fault


def folder_of(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1} // end', {"a": 1}),
        ('/* head */ {"a": /* in "between" */ 1 // "b": 2\n}', {"a": 1}),
        ('{"a": "http://x//y", "b": "/* no */"}', {"a": "http://x//y", "b": "/* no */"}),
        ('{"a": [1, 2, /* last */ ], }', {"a": [1, 2]}),
        ('{"a": [1 // one\n, // two\n]}', {"a": [1]}),
        ('{"a": {/** nothing **/}}', {"a": {}}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": 1} whatever follows', {"a": 1}),
        ('\ufeff{"a": "ä\\u00e4\\"\\\\"}', {"a": 'ää"\\'}),
        ('{"a": null, "b": {"c": null, "d": 1}, "e": [null]}', {"b": {"d": 1}, "e": [None]}),
    ],
)  # fmt: skip
def test_json_with_comments_is_read(content, text, expected):
    assert content(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x${V}y${V}", "xqyq"),
        ("${V:-d}", "q"),
        ("${NONE:-d e${V}", "d e${V"),
        ("${NONE:-}", ""),
        ("${NONE}", ""),
        ("${EMPTY:-d}", ""),
        ("$V $(V) ${V:=d}", "$V $(V) ${V:=d}"),
        ("${W}", "${V}"),
    ],
)
def test_variables_are_put_in_before_the_text_is_parsed(content, value, expected):
    assert content(f'{{"a": "{value}"}}', V="q", EMPTY="", W="${V}") == {"a": expected}


def test_a_variable_can_be_a_number_or_a_key(content):
    assert content("{${KEY}: ${NUMBER}}", KEY='"k"', NUMBER="77") == {"k": 77}


def test_a_variable_that_is_not_set_is_told_with_its_place(tmp_path):
    path = tmp_path / "orthanc.json"
    path.write_text('{\n// ${IN_A_COMMENT}\n"a": "${NONE}${OTHER:-x}"}')
    assert read([path], {}).unset == ((f"{path}:3", "NONE"),)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n"a": 1\n"b": 2}', ":3: is not JSON"),
        ("{'a': 1}", ":1: is not JSON"),
        ('{"a": 1}}'.removesuffix("}}"), ":1: is not JSON"),
        ('{"a": 1\n/* never ends', ":2: is not JSON"),
        ('{"a": 1e400}', ":1: is not JSON: 1e400 is too large a number"),
        ('{"a": NaN}', ":1: is not JSON: NaN is not a number"),
        ("\n[1]", ":2: is not a JSON object"),
        ("", ":1: is not JSON"),
        ('{\n"a": "${}"}', ":2: ${} names no variable"),
        ("[" * 100_000, ":1: is not JSON"),
    ],
)
def test_what_is_wrong_with_a_file_names_its_line(fault, tmp_path, text, place):
    assert fault(text).startswith(f"{tmp_path / 'orthanc.json'}{place}")


def test_a_missing_file_is_a_fault(tmp_path):
    with pytest.raises(ConfigurationInvalid, match=r"none\.json: cannot be read: No such file"):
        read([tmp_path / "none.json"], {})


class TestFolders:
    def test_every_json_file_of_a_folder_is_read_and_no_other(self, tmp_path):
        folder = folder_of(tmp_path, a__json='{"A": 1}', b__JSON='{"B": 2}', c__txt='{"C": 3}')
        (folder / "below").mkdir()
        folder_of(folder / "below", d__json='{"D": 4}')
        assert read([folder], {}).content == {"A": 1, "B": 2}

    def test_each_entry_knows_its_place_and_where_its_paths_start(self, tmp_path):
        folder = folder_of(tmp_path, a__json='{\n"A": {"A": 1},\n"B": "\\"B\\":",\n"C": []}')
        entries = read([folder], {}).entries
        places = {key: entry.where for key, entry in entries.items()}
        assert places == {
            key: f"{folder / 'a.json'}:{line}" for key, line in zip("ABC", (2, 3, 4), strict=True)
        }
        assert {entry.folder for entry in entries.values()} == {folder}

    def test_a_key_in_two_files_is_a_fault_and_so_is_everything_else(self, tmp_path):
        folder = folder_of(tmp_path, a__json='{"A": 1}', b__json='{"A": 2}', c__json="{")
        with pytest.raises(ConfigurationInvalid) as caught:
            read([folder], {})
        assert [fault.where for fault in caught.value.faults] == [
            f"{folder / 'b.json'}:1",
            f"{folder / 'c.json'}:1",
        ]

    def test_files_and_folders_are_one_configuration(self, tmp_path):
        (tmp_path / "folder").mkdir()
        folder = folder_of(tmp_path / "folder", a__json='{"A": 1}')
        other = folder_of(tmp_path, b__json='{"B": 2}') / "b.json"
        assert read([folder, other], {}).content == {"A": 1, "B": 2}

    def test_a_folder_without_any_is_a_fault(self, tmp_path):
        with pytest.raises(ConfigurationInvalid, match="has no file that ends with"):
            read([tmp_path], {})

    def test_no_file_is_an_empty_configuration(self):
        assert read([], {}) == OrthancJson({})
