"""`gateway syntaxes`: what can be read, written and verified, and by what."""

import zlib
from importlib import metadata
from typing import TYPE_CHECKING

from gateway.cli.options import JsonOption
from gateway.cli.output import Column, as_objects, print_json, print_table

if TYPE_CHECKING:
    from gateway.codecs.catalogue import Support

EXAMPLES = """Examples:

gateway syntaxes

gateway syntaxes --json"""

_COLUMNS: "tuple[Column[Support], ...]" = (
    Column("name", lambda support: support.short),
    Column("keyword", lambda support: support.keyword),
    Column("UID", lambda support: support.uid),
    Column("read by", lambda support: support.read_by or "-"),
    Column("written by", lambda support: support.written_by or "-"),
    Column("verified by", lambda support: support.verified_by or "-"),
    Column("", lambda support: support.remark),
)


def syntaxes(json: JsonOption = False) -> None:
    """Show every transfer syntax: what reads, writes and verifies it, or why nothing does.

    `--to`, scripts and the configuration take the name, the keyword and the UID alike. What nothing
    reads or writes is passed on as it is, never altered.
    """
    from gateway.codecs.catalogue import catalogue

    rows = catalogue(_version_of)
    if json:
        print_json(as_objects(rows))
        return
    print_table(rows, _COLUMNS)


def _version_of(library: str) -> str:
    return zlib.ZLIB_RUNTIME_VERSION if library == "zlib" else metadata.version(library)
