import pytest

from gateway.config.models import Scripts
from gateway.scripting.header import HeaderInvalid, LaneSettings, parse

DEFAULTS = Scripts(profile="trusted", timeout_s=30, memory_mb=256, concurrency=1)


def faults_of(source: str) -> list[str]:
    with pytest.raises(HeaderInvalid) as raised:
        parse("route.lua", source, DEFAULTS)
    return [str(fault) for fault in raised.value.faults]


def test_a_script_without_a_header_runs_as_the_configuration_says():
    assert parse("route.lua", "print(1)", DEFAULTS) == LaneSettings("trusted", 30, 256, 1, "jit")


def test_a_header_overrides_the_configuration():
    source = "-- gateway: concurrency=4, profile=sandboxed, timeout=0.5, memory=64, lua=5.4\n"

    assert parse("route.lua", source, DEFAULTS) == LaneSettings("sandboxed", 0.5, 64, 4, "5.4")


def test_a_header_may_follow_other_comments_and_span_several_lines():
    source = "#!/usr/bin/lua\n\n-- Routes CT.\n--gateway: timeout=5\r\n  -- gateway: memory=32\n"

    assert parse("route.lua", source, DEFAULTS) == LaneSettings("trusted", 5, 32, 1)


def test_every_fault_of_a_header_is_reported_with_its_line_and_a_remedy():
    source = "-- A script.\n-- gateway: treads=4, timeout=soon, memory\n-- gateway: profile=free\n"

    assert faults_of(source) == [
        "route.lua:2: unknown header key 'treads'"
        " (known are concurrency, profile, timeout, memory, lua)",
        "route.lua:2: timeout=soon is not possible (seconds, above 0)",
        "route.lua:2: header entry 'memory' is not key=value (separate with commas)",
        "route.lua:3: profile=free is not possible (trusted or sandboxed)",
    ]


@pytest.mark.parametrize(
    "entry",
    ["concurrency=0", "concurrency=65", "concurrency=1.5", "memory=8", "timeout=0", "timeout=-1",
     "timeout=inf", "timeout=nan", "timeout=", "profile=Trusted"],
)  # fmt: skip
def test_values_out_of_range_are_faults(entry):
    assert len(faults_of(f"-- gateway: {entry}")) == 1


def test_a_header_below_the_first_line_of_code_is_a_fault_because_it_would_be_overlooked():
    assert faults_of("local x = 1\n-- gateway: timeout=5\n") == [
        "route.lua:2: a header below the first line of code (move it to the top)"
    ]
    assert faults_of("--[[ licence\n]]\n-- gateway: timeout=5\n")


def test_comments_that_only_look_like_a_header_are_left_alone():
    assert parse("route.lua", "local x = 1\n-- gateway: our own name", DEFAULTS).timeout_s == 30
