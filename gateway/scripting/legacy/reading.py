"""What one Lua file does, read from its syntax tree: nothing of it is run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import tree_sitter_lua
from tree_sitter import Language, Node, Parser

from gateway.scripting.legacy.text import GAP, joined, literal, source

_GLOBALS = "_G"
_FUNCTIONS = ("function_declaration", "function_definition")
_DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file. function: the global function around it, "" in the main chunk."""

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function by its name, such as `os.execute`.

    texts: the arguments as far as they are text, with gaps; None for one that is no text.
    """

    name: str
    texts: tuple[str | None, ...]
    place: Place

    def text(self, index: int) -> str:
        """An argument; a gap when it is not known."""
        known = self.texts[index] if index < len(self.texts) else None
        return GAP if known is None else known


@dataclass(frozen=True, slots=True)
class Read:
    """A global that is read. is_needed: nil would be an error, as it is called or indexed."""

    name: str
    is_needed: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Definition:
    """A global that is set. parameters: of a function; None when it is none."""

    name: str
    place: Place
    parameters: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FieldRead:
    """`tags.PatientID`: a field of a parameter of the global function around it."""

    parameter: int  # from 0
    name: str
    place: Place


@dataclass(slots=True)
class Reading:
    """All that matters of one file. paths: what is assigned to package.path."""

    calls: list[Call] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    fields: list[FieldRead] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def read(name: str, text: bytes) -> Reading:
    """Read one file, also one with errors: what is around them is understood.

    Raises RecursionError for what is nested as nobody nests.
    """
    reader = _Reader(name)
    root = _parser().parse(text).root_node
    reader.learn_constants(root)
    reader.visit(root)
    return reader.reading


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_lua.language()))


class _Reader:
    """Walks through a tree, with the local variables of each place at hand."""

    def __init__(self, file: str) -> None:
        self.reading = Reading()
        self._file = file
        self._scopes: list[set[str]] = [set()]
        self._function = ""
        self._parameters: tuple[str, ...] = ()
        self._constants: dict[str, Node] = {}

    def learn_constants(self, root: Node) -> None:
        """Variables that are assigned to in one place only stand for what they get there."""
        assigned = defaultdict[str, list[Node | None]](list)
        for name, value in _assignments(root):
            assigned[name].append(value)
        for name, values in assigned.items():
            if len(values) == 1 and values[0] is not None:
                self._constants[name] = values[0]

    def visit(self, node: Node) -> None:
        """Look at a node and all below it."""
        special = getattr(self, f"_{node.type}", None)
        if special is None:
            self._visit_all(node.named_children)
        else:
            special(node)

    def _visit_all(self, nodes: Iterable[Node | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    @contextmanager
    def _scope(self, *names: str) -> Iterator[None]:
        self._scopes.append(set(names))
        try:
            yield
        finally:
            self._scopes.pop()

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _place(self, node: Node) -> Place:
        return Place(self._file, node.start_point.row + 1, self._function)

    # --- statements ------------------------------------------------------------------------------

    def _block(self, node: Node) -> None:
        with self._scope():
            self._visit_all(node.named_children)

    def _repeat_statement(self, node: Node) -> None:
        with self._scope():  # the condition sees what the body declares
            body = node.child_by_field_name("body")
            self._visit_all(body.named_children if body else ())
            self._visit_all([node.child_by_field_name("condition")])

    def _for_statement(self, node: Node) -> None:
        clause = node.child_by_field_name("clause")
        if clause is None:
            self._visit_all(node.named_children)
            return
        lists = [each for each in clause.named_children if each.type == "variable_list"]
        numeric = clause.child_by_field_name("name")
        names = [source(name) for each in lists for name in each.named_children]
        names += [source(numeric)] if numeric and not lists else []
        self._visit_all(
            each for each in clause.named_children if each not in lists and each != numeric
        )
        with self._scope(*names):
            self._visit_all([node.child_by_field_name("body")])

    def _variable_declaration(self, node: Node) -> None:
        inner = node.named_children[0]
        values = inner.named_children[1:] if inner.type == "assignment_statement" else []
        self._visit_all(values)
        targets = inner.named_children[0] if values else inner
        self._scopes[-1].update(source(name) for name in targets.children_by_field_name("name"))

    def _assignment_statement(self, node: Node) -> None:
        targets, values = _sides(node)
        self._visit_all(
            value for value in values if value.type != "function_definition" or len(targets) > 1
        )
        for target, value in zip(targets, [*values, *[None] * len(targets)], strict=False):
            self._assign(target, value if len(targets) == 1 else None)

    def _assign(self, target: Node, value: Node | None) -> None:
        function = value if value is not None and value.type == "function_definition" else None
        name = self._global_of(target)
        if name and name != "package.path":
            parameters = _parameters(function) if function else None
            self.reading.definitions.append(Definition(name, self._place(target), parameters))
        elif target.type != "identifier":
            self._read_table(target)
            self._index_of(target)
        if name == "package.path" and value is not None:
            self.reading.paths.append(self._text(value) or GAP)
        if function:
            self._enter(function, name)

    def _global_of(self, target: Node) -> str:
        """The name of the global that is assigned to, if it is one."""
        if target.type == "identifier":
            name = source(target)
            return "" if self._is_local(name) else name
        table, key = _dotted(target)
        if table == "package" and key == "path":
            return "package.path"
        return key if table == _GLOBALS and not self._is_local(_GLOBALS) else ""

    def _function_declaration(self, node: Node) -> None:
        target = node.child_by_field_name("name")
        if target is None:
            return
        name = source(target)
        if node.children[0].type == "local":
            self._scopes[-1].add(name)
            self._enter(node, "")
        elif target.type == "identifier" and not self._is_local(name):
            definition = Definition(name, self._place(node), _parameters(node))
            self.reading.definitions.append(definition)
            self._enter(node, name)
        else:
            self._read_table(target)
            self._enter(node, "")

    def _goto_statement(self, node: Node) -> None:
        """A label is no variable."""

    _label_statement = _attribute = _goto_statement

    # --- expressions -----------------------------------------------------------------------------

    def _function_definition(self, node: Node) -> None:
        self._enter(node, "")

    def _enter(self, function: Node, name: str) -> None:
        """Read a function. name: of the global that it is, if it is one, in the main chunk."""
        before = self._function, self._parameters
        parameters = _parameters(function)
        if name and not self._function:
            self._function, self._parameters = name, parameters
        target = function.child_by_field_name("name")
        is_method = target is not None and target.type == "method_index_expression"
        with self._scope(*parameters, *(["self"] if is_method else [])):
            self._visit_all([function.child_by_field_name("body")])
        self._function, self._parameters = before

    def _identifier(self, node: Node) -> None:
        self._read(node, is_needed=False)

    def _read(self, node: Node, *, is_needed: bool) -> None:
        name = source(node)
        if not self._is_local(name):
            self.reading.reads.append(Read(name, is_needed, self._place(node)))

    def _dot_index_expression(self, node: Node) -> None:
        table, key = _dotted(node)
        if table in self._parameters and key:
            found = FieldRead(self._parameters.index(table), key, self._place(node))
            self.reading.fields.append(found)
        self._read_table(node)
        self._index_of(node)

    _bracket_index_expression = _dot_index_expression

    def _read_table(self, node: Node) -> None:
        """What is indexed; of `function name()`, where name is a local, nothing is."""
        table = node.child_by_field_name("table")
        if table is not None and table.type == "identifier":
            self._read(table, is_needed=True)
        else:
            self._visit_all([table])

    def _index_of(self, node: Node) -> None:
        """What stands in the brackets."""
        if node.type == "bracket_index_expression":
            self._visit_all([node.child_by_field_name("field")])

    def _method_index_expression(self, node: Node) -> None:
        self._dot_index_expression(node)

    def _field(self, node: Node) -> None:
        """Of a table: `name = value` reads no variable called name."""
        is_named = node.children[0].type == "identifier" and len(node.children) > 1
        self._visit_all(node.named_children[1:] if is_named else node.named_children)

    def _function_call(self, node: Node) -> None:
        called = node.child_by_field_name("name")
        arguments = node.child_by_field_name("arguments")
        given = arguments.named_children if arguments else []
        if called is not None and called.type == "identifier":
            self._note_call(source(called), given, node)
            self._read(called, is_needed=True)
        elif called is not None:
            table, key = _dotted(called)
            if table and key and called.type == "dot_index_expression":
                self._note_call(f"{table}.{key}", given, node)
            self.visit(called)
        self._visit_all(given)

    def _note_call(self, name: str, given: Iterable[Node], node: Node) -> None:
        """`pcall(f, ...)` is a call of f, too."""
        if self._is_local(name.partition(".")[0]):
            return
        given = list(given)
        texts = tuple(self._text(argument) for argument in given)
        self.reading.calls.append(Call(name, texts, self._place(node)))
        if name in ("pcall", "xpcall") and given:
            called = source(given[0]).replace(" ", "")
            rest = given[1 if name == "pcall" else 2 :]
            self._note_call(called, rest, node)

    # --- text ------------------------------------------------------------------------------------

    def _text(self, node: Node, depth: int = 0) -> str | None:
        """An expression as text with gaps; None for what has no text in it at all."""
        if node.type == "string":
            return literal(node)
        if node.type == "parenthesized_expression" and node.named_children:
            return self._text(node.named_children[0], depth)
        if node.type == "binary_expression" and node.children[1].type == "..":
            sides = (node.children[0], node.children[2])
            return joined([self._text(side, depth) or GAP for side in sides])
        if node.type == "identifier" and depth < _DEEPEST:
            value = self._constants.get(source(node))
            return self._text(value, depth + 1) if value is not None else None
        return None


def _sides(node: Node) -> tuple[list[Node], list[Node]]:
    """What an assignment assigns to, and what."""
    targets, *rest = node.named_children
    return (
        targets.children_by_field_name("name"),
        rest[0].children_by_field_name("value") if rest else [],
    )


def _assignments(root: Node) -> Iterator[tuple[str, Node | None]]:
    """Each variable that is given a value anywhere, with that value if it is a single one."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.named_children
        if node.type == "assignment_statement":
            targets, values = _sides(node)
            single = values[0] if len(targets) == len(values) == 1 else None
            yield from ((source(target), single) for target in targets)
        elif node.type in _FUNCTIONS:
            yield from ((name, None) for name in _parameters(node))
        elif node.type in ("for_generic_clause", "for_numeric_clause"):
            names = [node, *node.named_children]
            yield from (
                (source(each), None) for of in names for each in of.children_by_field_name("name")
            )


def _parameters(function: Node) -> tuple[str, ...]:
    parameters = function.child_by_field_name("parameters")
    return tuple(map(source, parameters.children_by_field_name("name"))) if parameters else ()


def _dotted(node: Node) -> tuple[str, str]:
    """`a.b` or `a['b']` as a and b; empty where it is something else."""
    table = node.child_by_field_name("table")
    key = node.child_by_field_name("field") or node.child_by_field_name("method")
    name = source(table) if table is not None and table.type == "identifier" else ""
    if key is None:
        return name, ""
    if node.type == "bracket_index_expression":
        return name, literal(key) if key.type == "string" else ""
    return name, source(key)
