"""`gateway try`: a script on real files, with all that it would do outside shown instead."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.border import FAILED
from gateway.cli.folders import files_of
from gateway.cli.moving import configuration_of
from gateway.cli.options import ConfigOption, JsonOption, OrthancConfigOption
from gateway.cli.output import counted, print_json

if TYPE_CHECKING:
    from gateway.trial.rehearsal import Told

EXAMPLES = """Examples:

gateway try route.lua ct.dcm

gateway try lua/autosend.lua study/ --event stable-study --orthanc-config orthanc.json"""

ScriptArgument = Annotated[
    Path, typer.Argument(metavar="SCRIPT", exists=True, dir_okay=False, help="A Lua file.")
]
FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILES", exists=True, help="DICOM files, and folders to take all files from."
    ),
]
EventOption = Annotated[
    Literal["stored-instance", "stable-series", "stable-study", "stable-patient"],
    typer.Option("--event", help="The event that the script's callback is called for."),
]
AllowHttpOption = Annotated[
    bool, typer.Option("--allow-http", help="Really ask other servers: HttpGet, HttpPost ...")
]
AllowExecOption = Annotated[
    bool,
    typer.Option("--allow-exec", help="Really run commands, and write, move and remove files."),
]


def try_script(  # noqa: PLR0913 - an option is a parameter
    script: ScriptArgument,
    files: FilesArgument,
    event: EventOption = "stored-instance",
    allow_http: AllowHttpOption = False,
    allow_exec: AllowExecOption = False,
    orthanc_config: OrthancConfigOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Run a script on real files in a gateway of its own, which is thrown away afterwards.

    Nothing leaves it: what the script would send, transcode, change, delete, run or write is shown,
    with its file and line. What it asks the REST interface is answered. Without a configuration,
    every name of a modality or peer is taken for one that is there. The exit code is 1 when the
    script failed.
    """
    from gateway import logs
    from gateway.model import EventKind
    from gateway.trial.rehearsal import Failure, Trial, rehearse

    logs.configure("warning", "human")
    trial = Trial(
        script,
        files_of(files),
        EventKind[event.upper().replace("-", "_")],
        configuration_of(config, orthanc_config),
        is_legacy=bool(orthanc_config),
        knows_remotes=bool(config or orthanc_config),
        allow_http=allow_http,
        allow_exec=allow_exec,
    )
    told = []
    for each in rehearse(trial):
        told.append(each)
        if not json:
            _print(each)
    failures = [each for each in told if isinstance(each, Failure)]
    if json:
        print_json({"failed": bool(failures), "events": [_as_object(each) for each in told]})
    else:
        typer.echo(f"\n{_summary(told)}")
    if failures:
        raise typer.Exit(FAILED)


def _as_object(told: "Told") -> dict[str, Any]:
    return {"kind": type(told).__name__.lower(), **asdict(told)}


def _print(told: "Told") -> None:
    from gateway.trial.effects import Effect
    from gateway.trial.rehearsal import Begun, Said

    if isinstance(told, Begun):
        typer.secho(_legible(f"{told.callback} {told.subject}"), bold=True)
    elif isinstance(told, Said):
        typer.echo(_legible(f"  says: {told.text}"))
    elif isinstance(told, Effect):
        typer.echo(_legible(f"  {told.line}: would {told.what} {told.details}"))
    else:
        typer.secho(_legible(f"  failed: {told.about}: {told.error}"), fg="red")
        for line in told.traceback.splitlines():
            typer.echo(_legible(f"    {line.strip()}"))


def _legible(text: str) -> str:
    """Without codes for the terminal: scripts print what files hold."""
    return "".join(char if char.isprintable() else "?" for char in text.expandtabs())


def _summary(told: "list[Told]") -> str:
    from gateway.trial.effects import Effect
    from gateway.trial.rehearsal import Begun, Failure

    calls, effects, failures = (
        sum(isinstance(each, kind) for each in told) for kind in (Begun, Effect, Failure)
    )
    said = f"{counted(calls, 'call')}, {counted(effects, 'effect')} shown and not done"
    return f"{said}, {counted(failures, 'failure')}." if failures else f"{said}."
