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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.config.models import Destination
from gateway.dicom import rates
from gateway.model import Action, Step
from gateway.scripting import options
from gateway.scripting.options import PrimitiveRefused, Value, shown
from gateway.scripting.site import Site

_INSTANCE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a step works on: an instance id, or the result of an earlier step of the same plan."""

    instance_id: str
    result_of: int | None = None


class Plan:
    """The steps that one call of a callback has asked for, in order."""

    def __init__(self, site: Site) -> None:
        self.steps: list[Step] = []
        self.site = site
        self._results: dict[str, Subject] = {}

    def subject(self, resource: Value) -> Subject:
        """What a script means by `resource`. Raises PrimitiveRefused."""
        if not isinstance(resource, str):
            raise PrimitiveRefused(
                "expected an instance id or the result of another primitive, got " + shown(resource)
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
    rungs = options.ladder(_text(call.target, "a transfer syntax"))
    asked = options.checked(call.options, options.OF_TRANSCODE)
    options.refuse_idle_rates(rungs, asked)
    options.refuse_lossy_replacement(rungs, asked, plan.site.transcoding)
    defaults = {"ladder": [rung.uid for rung in rungs], "replace": False, "on_failure": "refuse"}
    plan.append(
        Action.TRANSCODE, subject, call.line, parameters=defaults | options.parameters_of(asked)
    )
    return plan.result(subject, " or ".join(rung.keyword for rung in rungs))


def _forward(plan: Plan, call: Call) -> Value:
    subject = plan.subject(call.resource)
    name = _text(call.target, "the name of a destination")
    destination = _destination(name, plan.site)
    asked = options.checked(_with_legacy_aet(call.options), options.OF_FORWARD)
    ladder = asked.pop("syntaxes", None)
    options.refuse_idle_rates(rates.made_for(ladder or destination.syntaxes), asked)
    parameters = ({"ladder": ladder} if ladder else {}) | options.parameters_of(asked)
    plan.append(Action.FORWARD, subject, call.line, destination=name, parameters=parameters)
    return call.resource


def _destination(name: str, site: Site) -> Destination:
    if name in site.destinations:
        return site.destinations[name]
    known = ", ".join(sorted(site.destinations)) or "none: the configuration has no [destinations]"
    raise PrimitiveRefused(f"no destination is called {name!r}; known are {known}")


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
        raise PrimitiveRefused(f"expected {expected}, got {shown(value)}")
    return value


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
LADDER = "transcode_ladder(...)"
SIGNATURES = (*(primitive.signature for primitive in PLANNING.values()), LADDER, "print(...)")


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


def transcode_ladder(*names: Value) -> str:
    """The names of transfer syntaxes, best first, as one text that primitives take for a ladder.

    Raises PrimitiveRefused.
    """
    try:
        entries = [_text(name, "a transfer syntax") for name in names or (None,)]
        return options.short_names(options.sending_ladder(", ".join(entries)))
    except PrimitiveRefused as exc:
        raise PrimitiveRefused(f"{LADDER}: {exc}") from exc
