"""What dead processes left in shared memory is removed, and nothing else."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sff_ros.middleware.shared_memory import free_bytes, leftover_bytes, remove_leftovers

SEGMENT = 'fastdds_04a7edaff18fb727'
PORT = 'fastdds_port7413'


def make(folder: Path, *names: str, size: int = 5000) -> None:
    for name in names:
        (folder / name).write_bytes(b'' if name.endswith('l') else bytes(size))


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@contextmanager
def held(file: Path, how: int) -> Iterator[None]:
    """Hold the lock of a file, as Fast DDS does."""
    with file.open() as opened:
        fcntl.flock(opened, how)
        yield


@pytest.mark.parametrize('lock', ['_el', '_sl'])
@pytest.mark.parametrize('name', [SEGMENT, 'fastrtps_04a7edaff18fb727', PORT, 'fastrtps_port7413'])
def test_files_whose_lock_is_free_are_removed(name: str, lock: str, tmp_path: Path) -> None:
    make(tmp_path, name, name + lock)
    assert leftover_bytes(tmp_path) == 5000
    assert names(tmp_path) == {name, name + lock}
    remove_leftovers(tmp_path)
    assert not names(tmp_path)
    assert leftover_bytes(tmp_path) == 0


@pytest.mark.parametrize('name', [SEGMENT, PORT])
@pytest.mark.parametrize(
    ('lock', 'how'), [('_el', fcntl.LOCK_EX), ('_sl', fcntl.LOCK_SH), ('_sl', fcntl.LOCK_EX)]
)
def test_files_whose_lock_is_held_stay(name: str, lock: str, how: int, tmp_path: Path) -> None:
    make(tmp_path, name, f'{name}_el', f'{name}_sl')
    with held(tmp_path / (name + lock), how):
        assert leftover_bytes(tmp_path) == 0
        remove_leftovers(tmp_path)
    assert names(tmp_path) == {name, f'{name}_el', f'{name}_sl'}


def test_a_segment_without_a_lock_is_removed(tmp_path: Path) -> None:
    make(tmp_path, SEGMENT)
    remove_leftovers(tmp_path)
    assert not names(tmp_path)


def test_a_port_that_only_writers_opened_stays(tmp_path: Path) -> None:
    make(tmp_path, PORT)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {PORT}


@pytest.mark.parametrize(('age_s', 'stays'), [(0, True), (60, False)])
def test_a_port_that_was_never_finished_is_removed(
    age_s: float, stays: bool, tmp_path: Path
) -> None:
    make(tmp_path, PORT, size=1)
    modified = (tmp_path / PORT).stat().st_mtime - age_s
    os.utime(tmp_path / PORT, (modified, modified))
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ({PORT} if stays else set())


def test_a_host_without_shared_memory_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / 'missing')
    assert leftover_bytes(tmp_path / 'missing') == 0


def test_other_files_stay(tmp_path: Path) -> None:
    others = {
        'sem.fastdds_port7413_mutex',
        'fastdds_notes',
        'my_fastdds_04a7edaff18fb727',
        'sem.x',
    }
    make(tmp_path, *others)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == others


def test_files_of_another_user_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, SEGMENT, f'{SEGMENT}_el')
    monkeypatch.setattr(os, 'getuid', lambda: (tmp_path / SEGMENT).stat().st_uid + 1)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {SEGMENT, f'{SEGMENT}_el'}


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / 'target'
    target.write_text('kept')
    (tmp_path / f'{SEGMENT}_el').symlink_to(target)
    make(tmp_path, SEGMENT)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {'target', SEGMENT, f'{SEGMENT}_el'}


def test_free_space_is_that_of_the_file_system(tmp_path: Path) -> None:
    space = os.statvfs(tmp_path)
    assert free_bytes(tmp_path) == pytest.approx(space.f_bavail * space.f_frsize, rel=0.1)
