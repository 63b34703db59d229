"""What is remembered of other servers that are followed."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection, Delete, Engine, delete, insert, select

from gateway.model import Bookmark
from gateway.store.committer import Committer
from gateway.store.schema import bookmark as _bookmark
from gateway.store.schema import left_behind as _left


class BookmarkTable:
    """Implements Bookmarks over the index."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def get(self, source: str) -> Bookmark | None:
        """See Bookmarks."""
        of_source = select(_bookmark).where(_bookmark.c.source == source)
        with self._engine.connect() as connection:
            row = connection.execute(of_source).first()
        return Bookmark(row.number, row.entry) if row else None

    def put(self, source: str, bookmark: Bookmark) -> None:
        """See Bookmarks."""
        row = {"source": source, "number": bookmark.number, "entry": bookmark.entry}

        def replace(connection: Connection) -> None:
            connection.execute(delete(_bookmark).where(_bookmark.c.source == source))
            connection.execute(insert(_bookmark), row)

        self._committer.commit(replace)

    def left_behind(self, source: str) -> Sequence[str]:
        """See Bookmarks."""
        of_source = select(_left.c.instance_id).where(_left.c.source == source)
        oldest_first = of_source.order_by(_left.c.created_at)
        with self._engine.connect() as connection:
            return connection.scalars(oldest_first).all()

    def leave_behind(self, source: str, instance_id: str, reason: str) -> None:
        """See Bookmarks."""
        row = {
            "source": source,
            "instance_id": instance_id,
            "reason": reason,
            "created_at": time.time(),
        }

        def replace(connection: Connection) -> None:
            connection.execute(_settled(source, instance_id))
            connection.execute(insert(_left), row)

        self._committer.commit(replace)

    def settle(self, source: str, instance_id: str) -> None:
        """See Bookmarks."""
        self._committer.commit(lambda connection: connection.execute(_settled(source, instance_id)))


def _settled(source: str, instance_id: str) -> Delete:
    return delete(_left).where(_left.c.source == source, _left.c.instance_id == instance_id)
