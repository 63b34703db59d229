"""pynetdicom's SCP, for the length of a block."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socketserver import BaseServer
from typing import Any

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

LOOK_EVERY_S = 0.02


@contextmanager
def serving(
    entity: AE,
    handlers: Sequence[Any],
    *,
    port: int = 0,
    contexts: Sequence[PresentationContext] | None = None,
) -> Iterator[int]:
    """Serve on this machine, in threads; answers the port.

    As AE.start_server does, whose servers take half a second each to notice that they shall end.
    """
    server = entity.make_server(
        ("127.0.0.1", port),
        contexts=contexts and list(contexts),
        evt_handlers=list(handlers),
        server_class=ThreadedAssociationServer,
    )
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_EVERY_S,), name="SCP")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        BaseServer.shutdown(server)  # not its own, which is for servers of start_server only
        server.server_close()
        thread.join(5)
        assert not thread.is_alive()
