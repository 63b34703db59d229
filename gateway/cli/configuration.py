"""`gateway config`: configurations, as files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.border import CommandGroup
from gateway.errors import ConfigurationInvalid

IMPORT_EXAMPLES = """Examples:

gateway config import orthanc.json > gateway.toml

gateway config import /etc/orthanc/ > gateway.toml"""

app = typer.Typer(cls=CommandGroup, help="Write configurations.", no_args_is_help=True)
PathsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Files and folders that Orthanc is configured with."),
]


@app.callback()
def config() -> None:
    """Write configurations."""


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_(paths: PathsArgument) -> None:
    """Print the configuration of an Orthanc as a file of the gateway, with notes on top.

    The gateway runs with that file as it does with `--orthanc-config`. Variables of the environment
    that Orthanc's files name are read now. The result holds their passwords: keep it private.
    """
    from gateway.config.orthanc_loader import as_toml, inspect_orthanc

    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    found = inspect_orthanc(paths, own)
    if found.faults:
        raise ConfigurationInvalid(found.faults)
    typer.echo(as_toml(found), nl=False)
