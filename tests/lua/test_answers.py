"""What comes out of Lua when a callback answers: one plain value, or an error."""

import time
from collections.abc import Iterator

import pytest

from gateway.errors import ScriptError, ScriptOutOfMemory, ScriptTimedOut
from gateway.scripting.runtime import Runtime


@pytest.fixture
def ask() -> Iterator:
    """ask(expression or body, *arguments): what a callback answers that returns it."""
    opened: list[Runtime] = []

    def ask(body: str, *arguments: object, timeout_s: float = 5, memory_mb: int = 64) -> object:
        runtime = Runtime(
            "sandboxed", memory_mb=memory_mb, host={"primitives": lambda: (), "say": print}
        )
        opened.append(runtime)
        code = body if "\n" in body or "return" in body else f"return {body}"
        runtime.compile(f"function Asked(a, b, c) {code}\nend".encode(), "test.lua")
        runtime.run(timeout_s=5)
        return runtime.ask("Asked", *arguments, timeout_s=timeout_s)

    yield ask
    for runtime in opened:
        runtime.close()


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("true", True),
        ("false", False),
        ("nil", None),
        ("", None),
        ("0xA700", 0xA700),
        ("-1", -1),
        ("2^53 - 1", 2**53 - 1),
        ("1.5", 1.5),
        ("'text'", "text"),
        ("'Jérôme'", "Jérôme"),
        ("'\\255'", "\ufffd"),
        ("'a\\0b'", "a\0b"),
        ("true, false", True),
        ("{}", {}),
        ("{'a', 'b'}", ["a", "b"]),
        ("{['0010,0010'] = 'DOE*', n = {1, true, {x = 0.1}}}",
         {"0010,0010": "DOE*", "n": [1, True, {"x": 0.1}]}),
        ("{1, nil, 3}", {"1": 1, "3": 3}),
        ("{[1.5] = 'x'}", {"1.5": "x"}),
        ("{'\"\\\\\\n\\1'}", ['"\\\n\x01']),
        ("a", "what came in"),
    ],
)  # fmt: skip
def test_a_callback_answers_its_first_result(ask, expression, answer):
    found = ask(expression, "what came in")

    assert found == answer
    assert type(found) is type(answer)


def test_a_query_goes_in_and_out_as_it_is(ask):
    query = {"0010,0010": "Müller*", "0008,0052": "STUDY", "0010,0020": ""}

    assert ask("query = a query['0010,0020'] = 'X' return query", query) == query | {
        "0010,0020": "X"
    }


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("2^53", "between -2^53 and 2^53"),
        ("1e300", "between -2^53 and 2^53"),
        ("1/0", "between -2^53 and 2^53"),
        ("-1/0", "between -2^53 and 2^53"),
        ("0/0", "between -2^53 and 2^53"),
        ("{0/0}", "between -2^53 and 2^53"),
        ("print", "must not answer a function"),
        ("coroutine.create(print)", "must not answer a thread"),
        ("{print}", "a table with a function in it"),
        ("{[{}] = 1}", "a key that is a table"),
        ("{[true] = 1}", "a key that is a boolean"),
        ("('x'):rep(17 * 1024 * 1024)", "more than 16 MB"),
        ("{('x'):rep(9 * 1024 * 1024), ('y'):rep(9 * 1024 * 1024)}", "more than 16 MB"),
        ("local t = {} t.t = t return t", "nested deeper"),
        ("local x = error('boom') return x", "test.lua:1: boom"),
    ],
)
def test_what_cannot_leave_lua_is_an_error(ask, expression, problem):
    with pytest.raises(ScriptError, match=problem.replace("^", r"\^")):
        ask(expression, memory_mb=256)


def test_no_metamethod_runs_while_an_answer_is_made_fit(ask):
    trap = "function() error('trapped') end"
    table = f"setmetatable({{1, 2}}, {{__index = {trap}, __pairs = {trap}, __len = {trap}}})"

    assert ask(f"{table}") == [1, 2]


def test_a_call_that_was_ended_answers_nothing_whatever_it_caught(ask):
    started = time.monotonic()

    with pytest.raises(ScriptTimedOut):
        ask("pcall(function() while true do end end) return true", timeout_s=0.2)
    assert time.monotonic() - started < 10


def test_a_table_that_takes_too_long_to_write_is_ended(ask):
    with pytest.raises(ScriptTimedOut):
        ask(
            "local leaf = {} for i = 1, 100 do leaf[i] = i end\n"
            "for _ = 1, 30 do leaf = {leaf, leaf, leaf} end return leaf",
            timeout_s=0.2,
            memory_mb=1024,
        )


def test_a_table_that_takes_too_much_memory_to_write_is_ended(ask):
    with pytest.raises((ScriptOutOfMemory, ScriptTimedOut)):
        ask(
            "local leaf = {} for i = 1, 100 do leaf[i] = i end\n"
            "for _ = 1, 30 do leaf = {leaf, leaf, leaf} end return leaf",
            timeout_s=20,
            memory_mb=32,
        )


def test_a_callback_that_is_gone_is_an_error(ask):
    runtime = Runtime("sandboxed", memory_mb=64, host={"primitives": lambda: ()})
    runtime.compile(b"", "test.lua")
    runtime.run(timeout_s=5)

    with pytest.raises(ScriptError):
        runtime.ask("Asked", timeout_s=5)
    runtime.close()
