"""One line of Lua at a time, in a real Orthanc and in a runtime of ours: what both print."""

from collections.abc import Iterable
from typing import Literal

from orthanc_peer import Server

from gateway.config.models import Codecs, Scripts
from gateway.errors import ScriptError
from gateway.model import Origin, OriginKind
from gateway.scripting.site import Site
from gateway.scripting.snippet import run_snippet

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
    """What the two print where they differ, ours first."""
    both = {line: (ours(line, profile), theirs(server, line)) for line in lines}
    assert both
    return {line: pair for line, pair in both.items() if pair[0] != pair[1]}
