"""A repetition: of two files with the same content one is kept."""

from gateway.logs import logger
from gateway.store.committer import Committer
from gateway.store.files import FileStorage
from gateway.store.instances import Arrived, NewVersion, give_file

log = logger("store")


def keep_one_file(
    storage: FileStorage, committer: Committer, arrived: Arrived, new: NewVersion
) -> bool:
    """Remove the published file of an arrival that was IDENTICAL; answers True when it is kept.

    It is kept when the known one was lost: success must not be answered for what is nowhere.
    """
    if arrived.storage_key == new.storage_key:
        return True
    is_lost = not storage.path(arrived.storage_key).exists()
    if is_lost and committer.commit(lambda c: give_file(c, arrived.version_id, new)):
        log.warning("a lost file was made good", key=new.storage_key, version=arrived.version_id)
        return True
    storage.remove(new.storage_key)
    return False
