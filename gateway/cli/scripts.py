"""`gateway scripts`: what runs, what it has handled, what went wrong."""

import typer

from gateway.cli.options import ConfigOption, JsonOption, load_configuration
from gateway.cli.output import Column, as_objects, print_json, print_table
from gateway.model import LaneStatus

EXAMPLES = """Examples:

gateway scripts

gateway scripts --json"""

_COLUMNS: tuple[Column[LaneStatus], ...] = (
    Column("script", lambda lane: lane.lane),
    Column("version", lambda lane: lane.script_version or "never loaded"),
    Column("state", lambda lane: "active" if lane.active else "removed"),
    Column("callbacks", lambda lane: ", ".join(lane.callbacks)),
    Column("handled", lambda lane: lane.events_handled, is_number=True),
    Column("waiting", lambda lane: lane.events_waiting, is_number=True),
    Column("failed", lambda lane: lane.events_failed, is_number=True),
    Column("last error", lambda lane: lane.last_error),
)


def scripts(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each script: the version that runs, its callbacks, its events, its last error.

    A script whose file has a fault goes on in its last good version; the fault is shown below.
    """
    from gateway.administration import administration

    with administration(load_configuration(config)) as index:
        lanes = index.lanes()
    if json:
        print_json(as_objects(lanes))
        return
    if not lanes:
        typer.echo("No script has run yet.")
        return
    print_table(lanes, _COLUMNS)
    for lane in lanes:
        if lane.fault:
            typer.echo(f"\n{lane.lane} on disk is not what runs: {lane.fault}")
