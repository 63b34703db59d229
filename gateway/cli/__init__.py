"""The command line. One module for each group of commands; heavy imports wait inside them.

Exit codes: 0 all went well; 1 something is wrong or failed, and was said; 2 the command was
written wrongly; 130 interrupted.
"""

from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import (
    configuration,
    garbage,
    moving,
    network,
    queue,
    scripts,
    service,
    syntaxes,
    transcode,
    trial,
)
from gateway.cli.border import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    name="gateway",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they would print local variables, data sets among them
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all went well, 1 something is wrong or failed, 2 wrong usage.",
)
app.command("run", epilog=service.RUN_EXAMPLES)(service.run)
app.command("check", epilog=service.CHECK_EXAMPLES)(service.check)
app.command("send", epilog=network.SEND_EXAMPLES)(network.send)
app.command("echo", epilog=network.ECHO_EXAMPLES)(network.echo)
app.command("check-scripts", epilog=moving.CHECK_EXAMPLES)(moving.check_scripts)
app.command("try", epilog=trial.EXAMPLES)(trial.try_script)
app.command("scripts", epilog=scripts.EXAMPLES)(scripts.scripts)
app.command("transcode", epilog=transcode.EXAMPLES)(transcode.transcode)
app.command("syntaxes", epilog=syntaxes.EXAMPLES)(syntaxes.syntaxes)
app.add_typer(queue.app, name="queue")
app.add_typer(configuration.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateway {__version__}")
        raise typer.Exit


@app.callback()
def gateway(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Receive DICOM, keep it safe, let Lua scripts decide, transcode and forward."""


def main() -> None:
    """The entry point of the `gateway` command."""
    garbage.expect_modules()
    app()
