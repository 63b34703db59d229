"""Text as far as it can be told from the source: literals, with gaps where values are put in."""

import re

from tree_sitter import Node

GAP = "\0"
"""Stands for what only a run could tell. No literal of a script is thought to hold a NUL."""

_ESCAPE = re.compile(r"\\(z\s*|x[0-9A-Fa-f]{2}|\d{1,3}|u\{[0-9A-Fa-f]+\}|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def source(node: Node) -> str:
    """The node as it was written."""
    return (node.text or b"").decode("utf-8", "replace")


def literal(node: Node) -> str:
    """The value of a string."""
    content = node.child_by_field_name("content")
    if content is None:
        return ""
    written = source(content)
    return written if source(node).startswith("[") else _ESCAPE.sub(_unescaped, written)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    kind = escape[0]
    if kind == "z":
        return ""
    if kind == "x":
        return chr(int(escape[1:], 16))
    if kind == "u":
        return chr(min(int(escape[2:-1], 16), 0x10FFFF))
    if kind.isdecimal():
        return chr(int(escape))
    return _LETTERS.get(kind, kind)


def joined(parts: list[str]) -> str:
    """Parts of a concatenation; gaps that touch are one."""
    return re.sub(f"{GAP}+", GAP, "".join(parts))


def shown(text: str) -> str:
    """A text with gaps, for people."""
    return text.replace(GAP, "...")
