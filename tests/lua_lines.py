"""Lines of Lua, in a real Orthanc and in a runtime of ours: what both print."""

from collections.abc import Iterable
from typing import Literal

from orthanc_peer import Server

from gateway.config.models import Codecs, Scripts
from gateway.errors import ScriptError
from gateway.model import Origin, OriginKind
from gateway.scripting.site import Site
from gateway.scripting.snippet import run_snippet

_TOGETHER = 50
_END_OF_LINE = b"-- end of line --"
Profile = Literal["trusted", "sandboxed"]


def ours(line: bytes, profile: Profile = "sandboxed") -> str:
    site = Site({}, Codecs().options())
    try:
        return run_snippet(line, Scripts(profile=profile), site, asked_by=Origin(OriginKind.REST))
    except ScriptError as exc:
        return f"error: {exc}"


def theirs(server: Server, line: bytes) -> str:
    answer = server.client.post("/tools/execute-script", content=line)
    if answer.status_code != 200:
        return f"error: {answer.text}"
    return answer.content.decode("utf-8", "replace")


def differences(
    server: Server, lines: Iterable[bytes], profile: Profile = "sandboxed"
) -> dict[bytes, tuple[str, str]]:
    """What the two print where they differ, ours first.

    Many lines are run together, as one script; where that differs, each by itself.
    """
    waiting = list(lines)
    assert waiting
    found: dict[bytes, tuple[str, str]] = {}
    while batch := waiting[:_TOGETHER]:
        del waiting[:_TOGETHER]
        if not _print_alike_together(server, batch, profile):
            both = {line: (ours(line, profile), theirs(server, line)) for line in batch}
            found |= {line: pair for line, pair in both.items() if pair[0] != pair[1]}
    return found


def _print_alike_together(server: Server, lines: list[bytes], profile: Profile) -> bool:
    """Whether all run to their end, and print the same."""
    script = b"".join(b"do %s\nend print('%s')\n" % (line, _END_OF_LINE) for line in lines)
    printed = ours(script, profile)
    ended = printed.count(_END_OF_LINE.decode())
    return ended == len(lines) and printed == theirs(server, script)
