"""What scripts call to have something done: primitives append steps to the event's plan.

Nothing is done at once. When the callback has returned, its plan is committed, and workers carry it
out. A primitive answers its resource, so that calls chain:
`Delete(Forward(Transcode(instanceId, 'JPEG2000Lossless'), 'archive'))`.

A resource is a string: an instance id, or the *handle* that Transcode answered. A handle is a
string too ("<instance id> as JPEG2000Lossless #1"), so that a script can print it, compare it, keep
it in a table or glue it to other text like any id; it means something only within the plan that
made it.

docs/scripting.md describes each primitive; a test fails when one is missing there.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.values import AeTitle
from gateway.dicom import syntaxes
from gateway.model import Action, Step

Value = str | bool | int | float | None  # what crosses the border between Lua and Python

_INSTANCE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_AE_TITLE: TypeAdapter[str] = TypeAdapter(AeTitle)


class PrimitiveRefused(ValueError):
    """A primitive was called in a way that cannot be meant; raised in the script, at its line."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a step works on: an instance id, or the result of an earlier step of the same plan."""

    instance_id: str
    result_of: int | None = None


class Plan:
    """The steps that one call of a callback has asked for, in order."""

    def __init__(self, destinations: Callable[[], Collection[str]]) -> None:
        self.steps: list[Step] = []
        self.destinations = destinations
        self._results: dict[str, Subject] = {}

    def subject(self, resource: Value) -> Subject:
        """What a script means by `resource`. Raises PrimitiveRefused."""
        if not isinstance(resource, str):
            raise PrimitiveRefused(
                "expected an instance id or the result of another primitive, got "
                + _shown(resource)
            )
        if resource in self._results:
            return self._results[resource]
        if _INSTANCE_ID.fullmatch(resource):
            return Subject(resource)
        if " #" in resource:
            raise PrimitiveRefused(f"{resource!r} is the result of a step of another event")
        raise PrimitiveRefused(f"{resource!r} is not an instance id")

    def result(self, subject: Subject, description: str) -> str:
        """The handle of what the last step makes of `subject`."""
        number = len(self.steps)
        handle = f"{subject.instance_id} as {description} #{number}"
        self._results[handle] = Subject(subject.instance_id, result_of=number)
        return handle

    def append(
        self,
        action: Action,
        subject: Subject,
        line: str,
        *,
        destination: str = "",
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a step. line: where the script asked for it."""
        self.steps.append(
            Step(
                number=len(self.steps) + 1,
                action=action,
                subject="" if subject.result_of else subject.instance_id,
                result_of=subject.result_of,
                destination=destination,
                parameters=parameters or {},
                line=line,
            )
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a primitive, as the script made it. line: `file:line`."""

    line: str
    resource: Value
    target: Value
    options: tuple[Value, ...]


def _transcode(plan: Plan, call: Call) -> str:
    subject = plan.subject(call.resource)
    try:
        syntax = syntaxes.lookup(_text(call.target, "a transfer syntax"))
    except syntaxes.UnknownTransferSyntax as exc:
        known = ", ".join(ts.keyword for ts in syntaxes.ALL)
        raise PrimitiveRefused(f"{exc}; known are {known}, their UIDs and short names") from exc
    options = _options(call.options, {"replace": _flag, "on_failure": _on_failure, "verify": _flag})
    plan.append(
        Action.TRANSCODE,
        subject,
        call.line,
        parameters={"syntax": syntax.uid, "replace": False, "on_failure": "refuse", **options},
    )
    return plan.result(subject, syntax.keyword)


def _forward(plan: Plan, call: Call) -> Value:
    subject = plan.subject(call.resource)
    destination = _text(call.target, "the name of a destination")
    known = plan.destinations()
    if destination not in known:
        names = ", ".join(sorted(known)) or "none: the configuration has no [destinations]"
        raise PrimitiveRefused(f"no destination is called {destination!r}; known are {names}")
    parameters = _options(_with_legacy_aet(call.options), {"calling_aet": _ae_title})
    plan.append(Action.FORWARD, subject, call.line, destination=destination, parameters=parameters)
    return call.resource


def _delete(plan: Plan, call: Call) -> None:
    subject = plan.subject(call.resource)
    if call.target is not None:
        raise PrimitiveRefused("takes nothing but an instance id")
    plan.append(Action.DELETE, subject, call.line)


def _with_legacy_aet(options: tuple[Value, ...]) -> tuple[Value, ...]:
    """Orthanc's SendToModality takes the calling AE title itself as its third argument."""
    return ("calling_aet", *options) if len(options) == 1 and options[0] is not None else options


def _text(value: Value, expected: str) -> str:
    if not isinstance(value, str):
        raise PrimitiveRefused(f"expected {expected}, got {_shown(value)}")
    return value


def _shown(value: Value) -> str:
    """A value as the script would write it."""
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _options(
    given: tuple[Value, ...], known: Mapping[str, Callable[[Value], str | bool]]
) -> dict[str, str | bool]:
    """name, value, name, value... as a checked mapping. Raises PrimitiveRefused."""
    if given in ((), (None,)):
        return {}
    if len(given) == 1:
        raise PrimitiveRefused(f"expected a table of options, got {_shown(given[0])}")
    checked: dict[str, str | bool] = {}
    for name, value in zip(given[::2], given[1::2], strict=True):
        if not isinstance(name, str) or name not in known:
            raise PrimitiveRefused(f"unknown option {name!r}; known are {', '.join(known)}")
        try:
            checked[name] = known[name](value)
        except ValueError as exc:
            raise PrimitiveRefused(f"option {name} must be {exc}, not {_shown(value)}") from exc
    return checked


# What an option may be; each raises ValueError with the words that say so.


def _flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - one kind of error for all options
    return value


def _on_failure(value: Value) -> str:
    if value not in ("refuse", "keep"):
        raise ValueError("'refuse' or 'keep'")
    return str(value)


def _ae_title(value: Value) -> str:
    try:
        return _AE_TITLE.validate_python(value, strict=True)
    except ValidationError as exc:
        raise ValueError("an AE title of 1 to 16 characters") from exc


@dataclass(frozen=True, slots=True)
class Primitive:
    """A function that scripts call to add a step to their plan."""

    name: str
    signature: str
    record: Callable[[Plan, Call], Value]


PLANNING: Mapping[str, Primitive] = {
    primitive.name: primitive
    for primitive in (
        Primitive("Transcode", "Transcode(id, syntax, options)", _transcode),
        Primitive("Forward", "Forward(id, destination, options)", _forward),
        Primitive("SendToModality", "SendToModality(id, destination, localAet)", _forward),
        Primitive("Delete", "Delete(id)", _delete),
    )
}
# All that a script may call beyond Lua's own library, by signature.
SIGNATURES = (*(primitive.signature for primitive in PLANNING.values()), "print(...)")


def record(plan: Plan | None, name: str, call: Call) -> Value:
    """Add what a script asked for to its plan; answers the resource for the next primitive.

    plan: None outside of an event. Raises PrimitiveRefused, with the signature of the primitive.
    """
    primitive = PLANNING[name]
    if plan is None:
        raise PrimitiveRefused(f"{primitive.signature} is only there while an event is handled")
    try:
        return primitive.record(plan, call)
    except PrimitiveRefused as exc:
        raise PrimitiveRefused(f"{primitive.signature}: {exc}") from exc
