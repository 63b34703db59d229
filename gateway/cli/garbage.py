"""When Python looks for garbage: hardly ever in what it has loaded.

The gateway loads a thousand modules, which stay for as long as the process does. To look for
garbage in them takes a sixth of the time of a start, most of that of an end, and in between it is a
pause for all threads.
"""

import atexit
import gc

_BY_ITSELF = gc.get_threshold()
_NEW_OBJECTS_WHILE_LOADING = 50_000


def expect_modules() -> None:
    """Look seldom for now, and not at all when the process ends: it gives everything back."""
    gc.set_threshold(_NEW_OBJECTS_WHILE_LOADING)
    atexit.register(gc.freeze)


def keep_loaded() -> None:
    """All that there is now stays. From now on look as often as Python does by itself, but not at
    that: for a process that runs for months.
    """
    gc.freeze()
    gc.set_threshold(*_BY_ITSELF)
