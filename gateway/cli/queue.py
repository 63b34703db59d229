"""`gateway queue`: tasks that wait, run or are parked, and events whose script failed."""

import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.border import FAILED, say_error
from gateway.cli.options import ConfigOption, JsonOption, load_configuration
from gateway.cli.output import Column, as_objects, print_json, print_table
from gateway.cli.selection import Filters, Selection, select
from gateway.model import ParkedEvent, TaskRow, TaskState

if TYPE_CHECKING:
    from gateway.administration import Administration

app = typer.Typer(
    no_args_is_help=True,
    help="See, retry and give up tasks, and events whose script failed.",
)

StateOption = Annotated[
    list[TaskState] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help=f"Only tasks in this state: {', '.join(TaskState)}. May be said several times.",
    ),
]
DestinationOption = Annotated[
    str | None, typer.Option("--destination", metavar="NAME", help="Only tasks that send there.")
]
ScriptOption = Annotated[
    str | None, typer.Option("--script", metavar="NAME", help="Only what this script planned.")
]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Numbers of tasks; events as SCRIPT:NUMBER."),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="All that is parked, as far as the filters let through.")
]

_LIST_EXAMPLES = """Examples:

gateway queue list

gateway queue list --state parked --destination archive

gateway queue list --json"""
_RETRY_EXAMPLES = """Examples:

gateway queue retry 17 18 route.lua:42

gateway queue retry --all --destination archive"""
_DROP_EXAMPLES = """Examples:

gateway queue drop 17

gateway queue drop --all --state waiting --destination old-pacs --yes"""


def _next_try(task: TaskRow) -> datetime | str:
    if task.run_at is None:
        return ""
    return task.run_at if task.run_at > datetime.now(UTC) else "now"


_TASK_COLUMNS: tuple[Column[TaskRow], ...] = (
    Column("id", lambda task: task.task_id, is_number=True),
    Column("state", lambda task: task.state),
    Column("action", lambda task: task.action),
    Column("instance", lambda task: task.instance_id),
    Column("destination", lambda task: task.destination),
    Column("planned by", lambda task: task.line or task.lane),
    Column("tries", lambda task: task.attempts, is_number=True),
    Column("next try", _next_try),
    Column("error", lambda task: task.error),
)
_EVENT_COLUMNS: tuple[Column[ParkedEvent], ...] = (
    Column("id", lambda event: f"{event.lane}:{event.event_id}"),
    Column("callback", lambda event: event.kind),
    Column("about", lambda event: event.subject),
    Column("parked", lambda event: event.parked_at),
    Column("error", lambda event: event.error),
)


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(
    state: StateOption = None,
    destination: DestinationOption = None,
    script: ScriptOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show tasks that have not come to their end, and events whose script failed.

    With --state done or --state dropped also those that have, as long as they are remembered.
    """
    filters = Filters(frozenset(state or ()), destination, script)
    with _administration(config) as administration:
        tasks = filters.tasks(administration.tasks(state))
        events = filters.events(administration.parked_events())
    if json:
        print_json({"tasks": as_objects(tasks), "events": as_objects(events)})
        return
    if tasks:
        print_table(tasks, _TASK_COLUMNS)
    if tasks and events:
        typer.echo()
    if events:
        typer.echo("Events whose script failed; nothing that it planned for them was done:")
        print_table(events, _EVENT_COLUMNS)
    if not tasks and not events:
        typer.echo("Nothing is in the queue.")


@app.command(epilog=_RETRY_EXAMPLES)
def retry(
    ids: IdsArgument = None,
    all_: AllOption = False,
    state: StateOption = None,
    destination: DestinationOption = None,
    script: ScriptOption = None,
    config: ConfigOption = None,
) -> None:
    """Try tasks again now, and have scripts handle their parked events again."""
    filters = Filters(frozenset(state or ()), destination, script)
    with _administration(config) as administration:
        selection = select(_everything(administration), ids or (), all_=all_, filters=filters)
        done = administration.retry_tasks(selection.task_ids)
        done += administration.retry_events(selection.event_ids)
    _report("Will be tried again", done, selection)


@app.command(epilog=_DROP_EXAMPLES)
def drop(
    ids: IdsArgument = None,
    all_: AllOption = False,
    state: StateOption = None,
    destination: DestinationOption = None,
    script: ScriptOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    config: ConfigOption = None,
) -> None:
    """Give up tasks, with all that was to follow them, and parked events. Instances stay stored."""
    filters = Filters(frozenset(state or ()), destination, script)
    with _administration(config) as administration:
        selection = select(_everything(administration), ids or (), all_=all_, filters=filters)
        if selection and not yes:
            _confirm(selection)
        done = administration.drop_tasks(selection.task_ids)
        done += administration.drop_events(selection.event_ids)
    _report("Given up", done, selection)


def _administration(config: Path | None) -> "AbstractContextManager[Administration]":
    from gateway.administration import administration

    return administration(load_configuration(config))


def _everything(administration: "Administration") -> Selection:
    return Selection(administration.tasks(None), administration.parked_events())


def _confirm(selection: Selection) -> None:
    """Say what will be lost, and ask. Raises BadParameter where nobody can answer, Abort on no."""
    if not _somebody_can_answer():
        raise typer.BadParameter("there is no terminal to ask on: say --yes")
    typer.echo("This gives up, for good:")
    for loss in selection.losses():
        typer.echo(f"  {loss}")
    typer.echo("The instances themselves stay stored.")
    typer.confirm("Give up?", abort=True)


def _somebody_can_answer() -> bool:
    return sys.stdin.isatty()


def _report(what: str, done: int, selection: Selection) -> None:
    typer.echo(f"{what}: {done}.")
    if done < len(selection):
        say_error(f"{len(selection) - done} were not: they run now, or have come to their end")
        raise typer.Exit(FAILED)
