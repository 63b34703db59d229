"""Sending files and echoing outside the gateway's own queue: `gateway send`, `gateway echo`.

Standard: PS3.4 Annexes A and B.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from gateway.config.models import Destination
from gateway.dicom import syntaxes
from gateway.dicom.part10 import FileMeta, read_meta
from gateway.dimse.contexts import Context
from gateway.dimse.policy import VERIFICATION
from gateway.dimse.sender import ForwardAssociation, open_association
from gateway.errors import GatewayError, InstanceUnreadable, RemoteUnreachable

OnResult = Callable[[Path, GatewayError | None], None]


def send_files(
    paths: Iterable[Path],
    host: str,
    port: int,
    *,
    called_aet: str,
    calling_aet: str,
    on_result: OnResult,
) -> int:
    """Send DICOM files as they are, over one association; answer how many the peer has now.

    on_result: called once for each path with None, or with what went wrong for this file: it is no
    DICOM file (one without preamble and file meta included), the peer does not take its syntax, or
    refuses it. Raises RemoteError when the association as a whole fails: then the files that were
    not tried are without a result.
    """
    readable = _read_metas(paths, on_result)
    if not readable:
        return 0
    needed = {(meta.sop_class_uid, meta.transfer_syntax_uid) for meta in readable.values()}
    destination = Destination(aet=called_aet, host=host, port=port)
    contexts = [Context(*pair) for pair in sorted(needed)]
    association = open_association(destination, calling_aet=calling_aet, contexts=contexts)
    try:
        return sum(_send_one(association, path, on_result) for path in readable)
    finally:
        association.release()


def echo(host: str, port: int, *, called_aet: str, calling_aet: str) -> None:
    """C-ECHO. Raises RemoteError."""
    destination = Destination(aet=called_aet, host=host, port=port)
    contexts = [Context(VERIFICATION, syntaxes.IMPLICIT_LE.uid)]
    association = open_association(destination, calling_aet=calling_aet, contexts=contexts)
    try:
        association.echo()
    finally:
        association.release()


def _read_metas(paths: Iterable[Path], on_result: OnResult) -> dict[Path, FileMeta]:
    metas = {}
    for path in paths:
        try:
            metas[path] = read_meta(path)
        except InstanceUnreadable as unreadable:
            on_result(path, unreadable)
    return metas


def _send_one(association: ForwardAssociation, path: Path, on_result: OnResult) -> bool:
    try:
        association.store(path)
    except RemoteUnreachable as error:
        on_result(path, error)
        raise
    except GatewayError as error:
        on_result(path, error)
        return False
    on_result(path, None)
    return True
