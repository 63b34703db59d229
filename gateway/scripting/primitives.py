"""What scripts call to have something done: primitives append steps to the event's plan.

Nothing is done at once. When the callback has returned, its plan is committed, and workers carry it
out. A primitive answers its resource, so that calls chain:
`Delete(Forward(Transcode(instanceId, 'JPEG2000Lossless'), 'archive'))`.

A resource is a string: the id of an instance, or of a series, study or patient, which stands for
all instances in it; or the *handle* that Transcode or ModifyInstance answered. A handle is a string
too ("<instance id> as JPEG2000Lossless #1"), so that a script can print it, compare it, keep it in
a table or glue it to other text like any id; it means something only within the plan that made it.
Orthanc's ModifyInstance answers '', and takes '' for "the result of the step before": so do we.

docs/scripting.md describes each primitive; a test fails when one is missing there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from gateway.config.models import Destination
from gateway.dicom import rates
from gateway.model import Action, Step
from gateway.scripting import options, tables
from gateway.scripting.options import PrimitiveRefused, Value, shown
from gateway.scripting.site import Site

_RESOURCE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a step works on: a resource, or the result of an earlier step of the same plan."""

    resource_id: str
    result_of: int | None = None


class Plan:
    """The steps that one call of a callback has asked for, in order.

    generation: of the instances that its steps make, see Origin. may_command: the script's profile
    lets it run commands.
    """

    def __init__(self, site: Site, *, generation: int = 1, may_command: bool = True) -> None:
        self.steps: list[Step] = []
        self.site = site
        self.generation = generation
        self.may_command = may_command
        self._results: dict[str, Subject] = {}
        self._latest: Subject | None = None

    def subject(self, resource: Value) -> Subject:
        """What a script means by `resource`. Raises PrimitiveRefused."""
        if not isinstance(resource, str):
            raise PrimitiveRefused(
                "expected an instance id or the result of another primitive, got " + shown(resource)
            )
        if not resource:
            return self._result_of_the_step_before()
        if resource in self._results:
            return self._results[resource]
        if _RESOURCE_ID.fullmatch(resource):
            return Subject(resource)
        if " #" in resource:
            raise PrimitiveRefused(f"{resource!r} is the result of a step of another event")
        raise PrimitiveRefused(f"{resource!r} is not an instance id")

    def result(self, subject: Subject, description: str) -> str:
        """The handle of what the last step makes of `subject`."""
        number = len(self.steps)
        handle = f"{subject.resource_id} {description} #{number}"
        self._results[handle] = self._latest = Subject(subject.resource_id, result_of=number)
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
        self._latest = None if action is Action.DELETE else subject
        self.steps.append(
            Step(
                number=len(self.steps) + 1,
                action=action,
                subject="" if subject.result_of else subject.resource_id,
                result_of=subject.result_of,
                destination=destination,
                parameters=parameters or {},
                line=line,
            )
        )

    def _result_of_the_step_before(self) -> Subject:
        if self._latest is None:
            before = "is a Delete, which has none" if self.steps else "does not exist"
            raise PrimitiveRefused(f"'' means the result of the step before, and that {before}")
        return self._latest


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
    return plan.result(subject, "as " + " or ".join(rung.keyword for rung in rungs))


def _modify(plan: Plan, call: Call) -> str:
    subject = plan.subject(call.resource)
    remove, remove_private = (*call.options, None, None)[:2]
    if not isinstance(remove_private, bool | None):
        raise PrimitiveRefused(f"removePrivateTags must be a boolean, not {shown(remove_private)}")
    parameters = {
        "replace": tables.replacements(call.target),
        "remove": tables.removals(remove),
        "remove_private": bool(remove_private),
        # What the new SOP Instance UID is made with: the same one, should it be done again.
        "salt": uuid4().hex,
        "generation": plan.generation,
    }
    plan.append(Action.MODIFY, subject, call.line, parameters=parameters)
    return plan.result(subject, "modified")


def _call_system(plan: Plan, call: Call) -> Value:
    if not plan.may_command:
        raise PrimitiveRefused("commands are closed to scripts of the profile sandboxed")
    subject = plan.subject(call.resource)
    command = _text(call.target, "a command")
    words = tables.words(*call.options)
    if not command or any("\0" in word for word in (command, *words)):
        raise PrimitiveRefused("a command must not be empty, and no word of it may hold a NUL")
    parameters = {"command": command, "arguments": words}
    plan.append(Action.CALL, subject, call.line, parameters=parameters)
    return call.resource


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


def _send_to_peer(plan: Plan, call: Call) -> Value:
    subject = plan.subject(call.resource)
    name = _text(call.target, "the name of a peer")
    if name not in plan.site.peers:
        known = ", ".join(sorted(plan.site.peers)) or "none"
        raise PrimitiveRefused(f"no peer is called {name!r}; known are {known}")
    plan.append(Action.SEND_TO_PEER, subject, call.line, destination=name)
    return call.resource


def _destination(name: str, site: Site) -> Destination:
    destination = site.destinations.get(name)
    if destination is not None:
        return destination
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
        Primitive("SendToPeer", "SendToPeer(id, peer)", _send_to_peer),
        Primitive(
            "ModifyInstance", "ModifyInstance(id, replace, remove, removePrivateTags)", _modify
        ),
        Primitive("CallSystem", "CallSystem(id, command, args)", _call_system),
        Primitive("Delete", "Delete(id)", _delete),
    )
}
# All that a script may call beyond Lua's own library, by signature.
LADDER = "transcode_ladder(...)"
JSON = ("ParseJson(text)", "DumpJson(value, keepStrings)", "PrintRecursive(value, limit, place)")
SIGNATURES = (
    *(primitive.signature for primitive in PLANNING.values()),
    LADDER,
    "print(...)",
    *JSON,
)


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
