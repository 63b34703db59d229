"""What the index knows of a resource is read anew from its files."""

from collections.abc import Sequence
from functools import partial
from itertools import islice

from sqlalchemy import Connection

from gateway.dicom import part10
from gateway.model import Summary, Version
from gateway.store.committer import Committer
from gateway.store.files import FileStorage
from gateway.store.resources import describe

_BATCH = 64


def reconstruct(versions: Sequence[Version], committer: Committer, storage: FileStorage) -> None:
    """Describe instances and all above them by these files, in the order of their arrival.

    What is above several of them is described by the first, as when they arrived. Raises
    InstanceUnreadable, OSError; files before that one have been used then.
    """
    remaining = reversed(versions)
    while batch := [_summary(version, storage) for version in islice(remaining, _BATCH)]:
        committer.commit(partial(_describe, summaries=batch))


def _summary(version: Version, storage: FileStorage) -> Summary:
    return part10.read_file_summary(storage.path(version.storage_key))


def _describe(connection: Connection, summaries: Sequence[Summary]) -> None:
    for summary in summaries:
        describe(connection, summary)
