"""Where errors become one clear line and an exit code, whatever the command."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from gateway.errors import ConfigurationInvalid, Fault, GatewayError

FAILED = 1


class CommandGroup(TyperGroup):
    """The commands of `gateway`, with a border around them."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. What the gateway or the system refuses is said without a traceback."""
        try:
            return super().invoke(ctx)
        except ConfigurationInvalid as exc:
            say_faults(exc.faults)
        except BrokenPipeError:
            # Who read our output went away, as `head` does: nothing is wrong, nothing more to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except GatewayError as exc:
            say_error(str(exc))
        except OSError as exc:
            say_error(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc))
        raise typer.Exit(FAILED)


def say_error(problem: str) -> None:
    """One line on standard error."""
    typer.echo(f"gateway: {problem}", err=True)


def say_faults(faults: tuple[Fault, ...]) -> None:
    """Every fault on a line of its own, on standard error."""
    for fault in faults:
        say_error(str(fault))
