"""`gateway run` and `gateway check`: the gateway itself, and whether it would run."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.cli.border import FAILED
from gateway.cli.garbage import keep_loaded
from gateway.cli.options import (
    ConfigOption,
    JsonOption,
    OrthancConfigOption,
    ScriptsOption,
    orthanc_files,
    with_scripts,
)
from gateway.cli.output import as_objects, counted, print_json
from gateway.errors import ConfigurationInvalid, Fault

if TYPE_CHECKING:
    from gateway.config.models import Configuration
    from gateway.config.orthanc_loader import Inspected

RUN_EXAMPLES = """Examples:

gateway run

gateway run --config /etc/gateway.toml

gateway run --orthanc-config /etc/orthanc/

GATEWAY_DICOM__PORT=11113 gateway run --scripts lua/"""
CHECK_EXAMPLES = """Examples:

gateway check --config /etc/gateway.toml

gateway check --json"""


def run(
    config: ConfigOption = None,
    orthanc_config: OrthancConfigOption = None,
    scripts: ScriptsOption = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Without any configuration it listens as GATEWAY on port 11112, keeps its data in ./data, runs
    the scripts in ./scripts, and answers /healthz, /readyz and /metrics on 127.0.0.1:8042.
    """
    found = _inspected(config, orthanc_config, scripts)
    if found.faults:
        raise ConfigurationInvalid(found.faults)
    configuration = found.configuration
    from gateway import logs
    from gateway.app import run as run_gateway

    logs.configure(configuration.log.level, configuration.log.format)
    for note in found.notes:
        logs.logger("config").warning("orthanc key", key=note.where, meaning=note.problem)
    keep_loaded()
    raise typer.Exit(run_gateway(configuration))


def check(
    config: ConfigOption = None,
    orthanc_config: OrthancConfigOption = None,
    scripts: ScriptsOption = None,
    json: JsonOption = False,
) -> None:
    """Look for faults in configuration and scripts, and say all of them at once.

    Nothing is started or created. The exit code is 1 when there is a fault. Notes are no faults: a
    port that is in use, for one, is what one sees beside a running gateway.
    """
    from gateway.config.check import examine

    found = _inspected(config, orthanc_config, scripts)
    configuration, faults, notes = found.configuration, [*found.faults], [*found.notes]
    if not faults:
        report = examine(configuration)
        faults, notes = [*report.faults], [*notes, *report.notes]
    faults += _script_faults(configuration)
    if json:
        print_json({"faults": as_objects(faults), "notes": as_objects(notes)})
    else:
        _print_findings(faults, notes, configuration)
    if faults:
        raise typer.Exit(FAILED)


def _inspected(
    config: Path | None, orthanc_config: list[Path] | None, scripts: Path | None
) -> "Inspected":
    """The configuration that was named, with all that is to be said about it."""
    from gateway.config.loader import inspect
    from gateway.config.orthanc_loader import Inspected, inspect_orthanc

    if orthanc := orthanc_files(config, orthanc_config):
        found = inspect_orthanc(orthanc, os.environ)
    else:
        configuration, faults = inspect(config, os.environ)
        found = Inspected(configuration, tuple(faults))
    return replace(found, configuration=with_scripts(found.configuration, scripts))


def _script_faults(configuration: "Configuration") -> list[Fault]:
    from gateway.scripting.check import check_folder, check_legacy

    settings = configuration.scripts
    # What is not there, or cannot be read, examine() has told.
    legacy = [path for path in settings.legacy if path.is_file() and os.access(path, os.R_OK)]
    faults = check_legacy(legacy, settings)
    if settings.folder.is_dir() and os.access(settings.folder, os.R_OK | os.X_OK):
        faults += check_folder(settings.folder, settings)
    return faults


def _print_findings(
    faults: list[Fault], notes: list[Fault], configuration: "Configuration"
) -> None:
    for fault in faults:
        typer.secho(_finding("fault", fault), fg="red")
    for note in notes:
        typer.echo(_finding("note", note))
    if faults:
        typer.echo(f"{counted(len(faults), 'fault')}.")
        return
    typer.echo(_summary(configuration))


def _finding(kind: str, finding: Fault) -> str:
    lines = [f"{kind:<6}{finding.where}: {finding.problem}"]
    if finding.remedy:
        lines.append(f"{'':<6}-> {finding.remedy}")
    return "\n".join(lines)


def _summary(configuration: "Configuration") -> str:
    dicom, store = configuration.dicom, configuration.store
    scripts = [path.name for path in configuration.scripts.legacy]
    scripts += sorted(path.name for path in configuration.scripts.folder.glob("*.lua"))
    destinations = ", ".join(configuration.destinations) or "none"
    return (
        f"No faults. {dicom.aet} would listen on {dicom.host}:{dicom.port}"
        f" and keep its data in {store.folder}.\n"
        f"Scripts: {', '.join(scripts) or 'none'}. Destinations: {destinations}."
    )
