"""The store as a whole: everything over one data folder."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from gateway.model import Action
from gateway.store.committer import Committer
from gateway.store.database import open_database
from gateway.store.files import FileStorage
from gateway.store.outbox import Outbox
from gateway.store.reclaim import Reclaimer
from gateway.store.task_board import TaskBoard
from gateway.store.tasks import OnWaiting, Tasks

INDEX_NAME = "index.sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of one open store; close() it."""

    engine: Engine
    files: FileStorage
    committer: Committer
    outbox: Outbox
    tasks: Tasks
    board: TaskBoard
    reclaimer: Reclaimer

    def close(self) -> None:
        """Commit what waits and close the database."""
        self.committer.close()
        self.engine.dispose()


def _nobody_waits(action: Action, destination: str) -> None:
    """Where no worker runs, nobody is to be told."""


def open_store(folder: Path, on_waiting: OnWaiting = _nobody_waits) -> Store:
    """Open the store in `folder`, made if it is not there. Raises OSError.

    on_waiting: called for each kind of task, (action, destination), that waits from now on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(folder / INDEX_NAME)
    files = FileStorage(folder)
    committer = Committer(engine, files)
    return Store(
        engine,
        files,
        committer,
        Outbox(engine, committer, on_waiting),
        Tasks(engine, committer, on_waiting),
        TaskBoard(engine, committer),
        Reclaimer(engine, committer, files),
    )
