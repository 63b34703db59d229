"""`gateway check-scripts`: what of an Orthanc's scripts would break, before anything is moved."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.border import FAILED
from gateway.cli.folders import files_of
from gateway.cli.options import (
    ConfigOption,
    JsonOption,
    OrthancConfigOption,
    orthanc_files,
)
from gateway.cli.output import Column, as_objects, counted, print_json, print_table
from gateway.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from gateway.config.models import Configuration
    from gateway.scripting.legacy.examination import Examination, Used
    from gateway.scripting.legacy.findings import Finding

CHECK_EXAMPLES = """Examples:

gateway check-scripts route.lua lib/names.lua

gateway check-scripts --orthanc-config /etc/orthanc/

gateway check-scripts lua/ --config gateway.toml --json"""
_MOST_PLACES = 3

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATHS",
        exists=True,
        help="Lua files, in the order in which Orthanc loads them, and folders of such files;"
        " without any, those that the configuration lists.",
        show_default=False,
    ),
]


def check_scripts(
    paths: PathsArgument = None,
    orthanc_config: OrthancConfigOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look at an Orthanc's Lua scripts without running them: what would break here, and why.

    The files are taken for one legacy set, as Orthanc's LuaScripts: what one sets, another may use.
    Modules that they require are looked at, too. With a configuration, the names of modalities and
    peers are compared with it. The exit code is 1 when something would break.
    """
    from gateway import logs
    from gateway.trial.examine import examine_scripts

    logs.configure("error")
    configuration = configuration_of(config, orthanc_config)
    files = _lua_files(paths) if paths else list(configuration.scripts.legacy)
    if not files:
        raise typer.BadParameter("there is no Lua file to look at", param_hint="PATHS")
    knows_remotes = bool(config or orthanc_config)
    found = examine_scripts(files, configuration, knows_remotes=knows_remotes)
    if json:
        print_json({"would_break": found.would_break, **as_objects([found])[0]})
    else:
        _print(found)
    if found.would_break:
        raise typer.Exit(FAILED)


def configuration_of(config: Path | None, orthanc_config: list[Path] | None) -> "Configuration":
    """The configuration that scripts are to run with. Raises ConfigurationInvalid."""
    from gateway.config.loader import load
    from gateway.config.orthanc_loader import inspect_orthanc

    orthanc = orthanc_files(config, orthanc_config)
    if not orthanc:
        return load(config, os.environ)
    inspected = inspect_orthanc(orthanc, os.environ)
    if inspected.faults:
        raise ConfigurationInvalid(inspected.faults)
    return inspected.configuration


def _lua_files(paths: Sequence[Path]) -> list[Path]:
    """The files that were named, and those of folders that end in .lua, each once."""
    return [file for file in files_of(paths) if file in paths or file.suffix == ".lua"]


# --- for people ----------------------------------------------------------------------------------


def _print(found: "Examination") -> None:
    used: tuple[Column[Used], ...] = (
        Column("used", lambda each: each.kind),
        Column("name", lambda each: each.name),
        Column("where", lambda each: _where(each.places)),
        Column("here", lambda each: each.status or "yes"),
    )
    findings: tuple[Column[Finding], ...] = (
        Column("what", lambda each: each.severity),
        Column("where", lambda each: each.where),
        Column("problem", lambda each: each.problem),
        Column("remedy", lambda each: each.remedy),
    )
    if found.used:
        print_table(found.used, used)
        typer.echo("")
    if found.findings:
        print_table(found.findings, findings)
        typer.echo("")
    typer.echo(_verdict(found))


def _where(places: Sequence[str]) -> str:
    shown = ", ".join(places[:_MOST_PLACES])
    left = len(places) - _MOST_PLACES
    return f"{shown}, and {left} more" if left > 0 else shown


def _verdict(found: "Examination") -> str:
    counts = Counter(finding.severity for finding in found.findings)
    said = [f"{counts[severity]} x {severity}" for severity in dict.fromkeys(counts)]
    files = counted(len(found.files), "file")
    if not said:
        return f"{files}: nothing to say. They should run as they do in Orthanc."
    verdict = "Something would break." if found.would_break else "Nothing would break."
    return f"{files}: {', '.join(said)}. {verdict}"
