"""pynetdicom's storage SCU, for several requests in one association."""

from pathlib import Path

from pydicom import Dataset
from pynetdicom.association import Association
from waiting import wait_until


def c_store(association: Association, image: Dataset | Path) -> int:
    """The status of a C-STORE.

    The association's own thread reads as well, but for the time of a request. One that has not come
    round since the request before would take this one's answer, and nobody would get it: so wait.
    """
    wait_until(lambda: not (association.is_alive() and association._is_paused))
    return int(association.send_c_store(image).Status)
