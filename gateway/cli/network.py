"""`gateway send` and `gateway echo`: a small SCU, to try what a modality or a PACS would do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.border import FAILED
from gateway.cli.folders import walk
from gateway.cli.options import (
    CalledAetOption,
    CallingAetOption,
    JsonOption,
    ToOption,
    parse_peer,
)
from gateway.cli.output import (
    Column,
    as_objects,
    counted,
    print_json,
    print_table,
    progress_bar,
)
from gateway.errors import GatewayError, RemoteError

if TYPE_CHECKING:
    from gateway.config.models import Destination

SEND_EXAMPLES = """Examples:

gateway send ct.dcm --to localhost:11112 --aet GATEWAY

gateway send study/ more/ --to pacs.example:104 --aet PACS"""
ECHO_EXAMPLES = """Example:

gateway echo --to pacs.example:104 --aet PACS"""

_CALLING_AET = "GATEWAY-SEND"

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILES", exists=True, help="DICOM files, and folders to take all files from."
    ),
]


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that the other side does not have now, and why."""

    file: str
    error_kind: str
    error: str


_FAILURE_COLUMNS: tuple[Column[Failure], ...] = (
    Column("file", lambda failure: failure.file),
    Column("error", lambda failure: failure.error),
)


def send(
    files: FilesArgument,
    to: ToOption,
    aet: CalledAetOption,
    calling_aet: CallingAetOption = _CALLING_AET,
    json: JsonOption = False,
) -> None:
    """Send DICOM files by C-STORE, as they are, over one association.

    Of folders all files are sent, but for hidden ones and DICOMDIR. The exit code is 1 when the
    other side does not have one of the files afterwards.
    """
    peer = parse_peer(to, aet, calling_aet)
    paths = list(dict.fromkeys(_walked(files)))
    if not paths:
        raise typer.BadParameter("there is no file to send in there", param_hint="FILES")
    _quiet_log()
    began = perf_counter()
    failures = _send(paths, peer, calling_aet)
    seconds = perf_counter() - began
    sent = len(paths) - len(failures)
    if json:
        print_json({"sent": sent, "seconds": round(seconds, 3), "failed": as_objects(failures)})
    else:
        typer.echo(f"{sent} of {counted(len(paths), 'file')} sent in {seconds:.1f} s.")
        if failures:
            print_table(failures, _FAILURE_COLUMNS)
    if failures:
        raise typer.Exit(FAILED)


def echo(to: ToOption, aet: CalledAetOption, calling_aet: CallingAetOption = _CALLING_AET) -> None:
    """Ask the other side by C-ECHO whether it is there and talks to us."""
    from gateway.dimse import files

    peer = parse_peer(to, aet, calling_aet)
    _quiet_log()
    began = perf_counter()
    files.echo(peer.host, peer.port, called_aet=peer.aet, calling_aet=calling_aet)
    milliseconds = (perf_counter() - began) * 1000
    typer.echo(f"{peer.aet} at {to} answers, after {milliseconds:.0f} ms.")


def _quiet_log() -> None:
    """What happens is told by the command itself."""
    from gateway import logs

    logs.configure("error")


def _walked(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among the paths, and those below the folders among them, in order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for found in walk([path]):
            yield from found.paths


def _send(paths: Sequence[Path], peer: "Destination", calling_aet: str) -> list[Failure]:
    """Send with a progress bar; answers what failed, files that were not tried included."""
    from gateway.dimse import files

    outcomes: dict[Path, GatewayError | None] = {}
    with progress_bar("sending", len(paths)) as advance:

        def note(path: Path, error: GatewayError | None) -> None:
            outcomes[path] = error
            advance()

        trouble: GatewayError | None = None
        try:
            files.send_files(
                paths,
                peer.host,
                peer.port,
                called_aet=peer.aet,
                calling_aet=calling_aet,
                on_result=note,
            )
        except RemoteError as exc:
            trouble = exc
    errors = {path: outcomes.get(path, trouble) for path in paths}
    return [Failure(str(path), e.kind, str(e)) for path, e in errors.items() if e is not None]
