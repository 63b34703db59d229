"""Options that several commands share, and what they mean."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.config.models import Configuration, Destination

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="GATEWAY_CONFIG",
        metavar="FILE",
        help="The configuration file, ours or an Orthanc's (.json, or a folder of them); without"
        " one, everything has its default.",
    ),
]
OrthancConfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--orthanc-config",
        metavar="PATH",
        help="An Orthanc's configuration instead: a file or a folder; may be given several times.",
    ),
]
ScriptsOption = Annotated[
    Path | None,
    typer.Option("--scripts", "-s", metavar="DIR", help="The scripts' folder, before any other."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ToOption = Annotated[
    str, typer.Option("--to", metavar="HOST:PORT", help="Where the other side listens.")
]
CalledAetOption = Annotated[
    str, typer.Option("--aet", metavar="AET", help="The AE title of the other side.")
]
CallingAetOption = Annotated[
    str, typer.Option("--calling-aet", metavar="AET", help="Our own AE title.")
]


def load_configuration(file: Path | None) -> "Configuration":
    """The configuration that a command works with, ours or an Orthanc's.

    Raises ConfigurationInvalid.
    """
    from gateway.config.loader import load
    from gateway.config.orthanc_loader import load_orthanc

    if orthanc := orthanc_files(file, None):
        return load_orthanc(orthanc, os.environ)[0]
    return load(file, os.environ)


def orthanc_files(file: Path | None, orthanc: list[Path] | None) -> list[Path]:
    """The files of an Orthanc that were named, by either option. Raises BadParameter."""
    if file and orthanc and os.environ.get("GATEWAY_CONFIG") != str(file):
        raise typer.BadParameter("--config and --orthanc-config exclude each other")
    if orthanc:
        return orthanc
    is_orthancs = file is not None and (file.is_dir() or file.suffix.lower() == ".json")
    return [file] if file and is_orthancs else []


def with_scripts(configuration: "Configuration", folder: Path | None) -> "Configuration":
    """The configuration with another scripts' folder, if there is one."""
    if folder is None:
        return configuration
    scripts = configuration.scripts.model_copy(update={"folder": folder})
    return configuration.model_copy(update={"scripts": scripts})


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT or [IPV6]:PORT. Raises BadParameter."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise typer.BadParameter(f"{text!r}: write an IPv6 address as [ADDRESS]:PORT")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT")
    return host, int(port)


def parse_peer(to: str, called_aet: str, calling_aet: str) -> "Destination":
    """The other side as the command names it. Raises BadParameter."""
    from pydantic import ValidationError

    from gateway.config.faults import shown
    from gateway.config.models import Destination

    host, port = parse_address(to)
    try:
        return Destination(aet=called_aet, host=host, port=port, calling_aet=calling_aet)
    except ValidationError as exc:
        wrong = [f"{shown(error['input'])} {error['msg']}" for error in exc.errors()]
        raise typer.BadParameter("; ".join(wrong)) from None
