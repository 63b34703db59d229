"""Modules of legacy scripts: folders of their own, found by package.path."""

from pathlib import Path

import pytest
from scripting_support import load, said, steps_of

from gateway.errors import ScriptError


@pytest.fixture
def library(tmp_path) -> Path:
    folder = tmp_path / "site-lua"
    (folder / "deep").mkdir(parents=True)
    (folder / "names.lua").write_text("return {pacs = 'archive', file = select(2, ...)}")
    (folder / "deep" / "init.lua").write_text("#!/usr/bin/lua\nreturn 'deep'")
    (folder / "broken.lua").write_text("local x =\n=")
    (folder / "compiled.lua").write_bytes(b"\x1bLua")
    return folder


def extended(folder: Path, expression: str) -> str:
    return (
        f"package.path = package.path .. ';{folder}/?.lua;{folder}/?/init.lua' print({expression})"
    )


def error_of(body: str, **options) -> str:
    with pytest.raises(ScriptError) as raised:
        steps_of(body, **options)
    return str(raised.value)


def test_a_module_is_found_where_the_script_says(library):
    assert said(extended(library, "require('names').pacs, require('deep')")) == ["archive, deep"]
    assert said(extended(library, "require('names').file")) == [f"{library}/names.lua"]


def test_a_module_is_found_in_the_current_folder(library, monkeypatch):
    monkeypatch.chdir(library)
    assert said("print(require('names').pacs)") == ["archive"]


def test_a_module_of_the_script_folder_comes_first(library):
    modules = {"names.lua": "return {pacs = 'ours'}"}
    assert said(extended(library, "require('names').pacs"), modules=modules) == ["ours"]


def test_a_missing_module_names_every_place_that_was_looked_at(library):
    error = error_of(f"\npackage.path = '{library}/?.lua;./?.lua' require('site.none')")

    assert error == (
        "test.lua:2: module 'site.none' not found:\n"
        "\tno field package.preload['site.none']\n"
        "\tno site/none.lua in the script folder\n"
        f"\tno file '{library}/site/none.lua'\n"
        "\tno file './site/none.lua'"
    )


def test_a_module_that_came_later_is_found_by_the_next_attempt(library):
    path = library / "late.lua"
    words = said(
        extended(library, "pcall(require, 'late')").replace("print(", "local ok = (")
        + f" local f = io.open('{path}', 'w') f:write('return 7') f:close()"
        " print(ok, require('late'))"
    )
    assert words == ["false, 7"]


def test_errors_of_a_module_have_its_file_and_line(library):
    assert "/broken.lua:2: unexpected" in error_of(extended(library, "require('broken')"))


def test_byte_code_is_no_module(library):
    error = error_of(extended(library, "require('compiled')"))
    assert error.startswith("test.lua:1: module 'compiled': ")
    assert error.endswith("/compiled.lua is byte code, only Lua text is loaded")


def test_a_path_that_is_none_is_told_at_the_line_that_requires():
    assert error_of("package.path = nil\nrequire('names')") == (
        "test.lua:2: 'package.path' must be a string"
    )


def test_searchpath_tells_what_require_would_read(library):
    assert said(f"print(package.searchpath('names', '{library}/?.lua'))") == [
        f"{library}/names.lua"
    ]
    assert said(f"print(package.searchpath('none', '{library}/?.lua'))") == [
        f"nil, \n\tno file '{library}/none.lua'"
    ]


def test_a_sandboxed_script_has_the_script_folder_and_nothing_else(library):
    assert "no names.lua in the script folder" in error_of(
        extended(library, "require('names')"), profile="sandboxed"
    )
    assert said("print(package.path, package.searchpath)", profile="sandboxed") == [
        "?.lua;?/init.lua, nil"
    ]


def test_a_module_that_requires_itself_is_told():
    modules = {"lib/loop.lua": "return require('lib.loop')"}
    loaded = "function OnStoredInstance() end require('lib.loop')"
    with pytest.raises(ScriptError, match="requires itself"):
        load(loaded, modules=modules)
