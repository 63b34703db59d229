"""File storage: where files are, when they are safe, and that nothing is left behind."""

import errno
import os
import threading
from pathlib import Path

import pytest

from gateway.errors import StorageFull, StoreError
from gateway.store.files import (
    DERIVED,
    RECEIVED,
    FileStorage,
    StagedFile,
    device_errors,
    made_from,
    sync_file,
)


@pytest.fixture
def files(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


def staged(files: FileStorage, content: bytes = b"content", kind: str = RECEIVED) -> StagedFile:
    file = files.stage(kind)
    with file.create() as out:
        out.write(content)
        sync_file(out)
    return file


def published(files: FileStorage, kind: str = RECEIVED) -> StagedFile:
    file = staged(files, kind=kind)
    files.publish([file])
    return file


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_staged_file_has_no_place_before_it_is_published(files):
    file = staged(files)
    assert list(files.keys()) == []
    assert not files.path(file.key).exists()


def test_a_published_file_is_found_under_its_key_with_its_content(files, tmp_path):
    file = published(files)
    assert files.path(file.key).read_bytes() == b"content"
    assert list(files.keys()) == [file.key]
    assert all_files(tmp_path) == [files.path(file.key)]


def test_the_key_of_a_derived_file_tells_what_it_was_made_from(files):
    source = "66a662ce-7430e543-bad44d47-0dc5a943-ec7a538d"
    file = files.stage(DERIVED, made_from=source)
    file.path.write_bytes(b"")
    files.publish([file])
    assert list(map(made_from, files.keys())) == [source]
    assert made_from(files.stage(RECEIVED).key) == ""


def test_no_two_keys_are_alike_and_each_tells_its_kind(files):
    keys = [files.stage(kind).key for kind in (RECEIVED, DERIVED) * 200]
    assert len(set(keys)) == 400
    assert {key[0] for key in keys} == {"r", "d"}


def test_files_lie_two_folders_deep(files, tmp_path):
    path = files.path(published(files).key)
    assert len(path.relative_to(tmp_path / "files").parts) == 3


def test_publishing_again_after_a_failure_finds_what_was_moved(files):
    first, second = staged(files), staged(files)
    files.publish([first])
    files.publish([first, second])
    assert set(files.keys()) == {first.key, second.key}


def test_publishing_a_file_that_nobody_wrote_is_an_error(files):
    """Else its row would be committed, and an instance acknowledged that is nowhere."""
    with pytest.raises(StoreError):
        files.publish([files.stage(DERIVED)])


def test_removing_takes_the_folders_that_are_empty_then(files, tmp_path):
    first, second = published(files), published(files)
    files.remove(first.key)
    assert list(files.keys()) == [second.key]
    files.remove(second.key)
    assert list((tmp_path / "files").iterdir()) == []


def test_removing_what_is_gone_is_no_error(files):
    file = published(files)
    files.remove(file.key)
    files.remove(file.key)


def test_discarding_a_staged_file_leaves_nothing(files, tmp_path):
    file = staged(files)
    file.discard()
    file.discard()
    assert all_files(tmp_path) == []


def test_what_a_crash_left_half_written_is_cleared_and_counted(files, tmp_path):
    kept = published(files)
    staged(files)
    on_its_way = staged(files).path.with_suffix(".work")
    on_its_way.mkdir()
    (on_its_way / "part").write_bytes(b"half")
    assert files.clear_staged() == 3
    assert all_files(tmp_path) == [files.path(kept.key)]


def test_a_storage_that_is_opened_again_has_its_files(files, tmp_path):
    file = published(files)
    assert list(FileStorage(tmp_path).keys()) == [file.key]


def test_a_folder_stays_while_a_file_is_on_its_way_into_it(tmp_path):
    """Store, forward, delete: the folder of these very seconds empties out again and again."""
    removers: list[threading.Thread] = []

    class Interrupted(FileStorage):
        def _make_folder(self, folder: Path) -> None:
            super()._make_folder(folder)
            removers.append(threading.Thread(target=self.remove, args=(going.key,)))
            removers[-1].start()
            removers[-1].join(0.2)  # it may have to wait for us

    files = FileStorage(tmp_path)
    going, coming = staged(files), staged(files)
    files.publish([going])
    try:
        Interrupted(tmp_path).publish([coming])
    finally:
        for remover in removers:
            remover.join()
    assert list(files.keys()) == [coming.key]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_on_the_device_is_storage_full(number):
    with pytest.raises(StorageFull), device_errors():
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_another_fault_of_the_device_is_a_store_error_that_names_it(number):
    with pytest.raises(StoreError, match=os.strerror(number)) as caught, device_errors():
        raise OSError(number, os.strerror(number))
    assert not isinstance(caught.value, StorageFull)


def test_the_free_room_is_that_of_the_device(files, tmp_path):
    status = os.statvfs(tmp_path)
    assert files.free_bytes() == pytest.approx(status.f_bavail * status.f_frsize, rel=0.05)
