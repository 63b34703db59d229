import pytest

from gateway.config.models import Scripts
from gateway.scripting.check import check_folder, check_legacy


def faults_of(folder) -> list[str]:
    return [str(fault) for fault in check_folder(folder, Scripts())]


def test_every_fault_of_every_script_is_reported_at_once(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "a.lua").write_text("-- gateway: treads=2\nx = = 1")
    (tmp_path / "b.lua").write_bytes(b"\x1bLJ")
    (tmp_path / "good.lua").write_bytes(b"\xef\xbb\xbf#!lua\nfunction OnStoredInstance() end")
    (tmp_path / "lib" / "module.lua").write_text("\nreturn +")

    assert faults_of(tmp_path) == [
        "a.lua:1: unknown header key 'treads' (known are "
        "concurrency, profile, timeout, memory, lua)",
        "a.lua:2: unexpected symbol near '='",
        "b.lua:1: byte code is refused, only Lua text is loaded",
        "lib/module.lua:2: unexpected symbol near '+'",
    ]


def test_a_module_may_be_for_any_lua_that_a_script_asks_for(tmp_path):
    (tmp_path / "module.d").mkdir()
    (tmp_path / "module.d" / "half.lua").write_text("return 7 // 2")
    (tmp_path / "a.lua").write_text("x = 1")

    assert faults_of(tmp_path) == [
        "module.d/half.lua:1: unexpected symbol near '/': Lua 5.3 syntax? Ask for it at the top:"
        " -- gateway: lua=5.4"
    ]
    (tmp_path / "b.lua").write_text("-- gateway: lua=5.4\nx = 7 // 2")
    assert faults_of(tmp_path) == []


def test_checking_runs_nothing_of_a_script(tmp_path):
    (tmp_path / "a.lua").write_text(f"os.execute('touch {tmp_path}/ran') error('no')")

    assert faults_of(tmp_path) == []
    assert not (tmp_path / "ran").exists()


def test_a_missing_folder_is_an_error_of_the_caller(tmp_path):
    with pytest.raises(FileNotFoundError):
        check_folder(tmp_path / "none", Scripts())


def test_the_files_of_the_legacy_set_are_in_the_lua_of_the_first(tmp_path):
    first, second = tmp_path / "first.lua", tmp_path / "second.lua"
    second.write_text("x = 7 // 2\nx = = 1")
    first.write_text("-- gateway: lua=5.4")
    assert [fault.where for fault in check_legacy([first, second], Scripts())] == ["second.lua:2"]
    first.write_text("x = 1")
    assert [fault.where for fault in check_legacy([first, second], Scripts())] == ["second.lua:1"]


def test_a_legacy_set_that_is_empty_has_no_fault():
    assert check_legacy([], Scripts()) == []
