"""Hidden files and folders that a process is still writing, and those that killed ones left.

Each is locked while it is written, and the lock of a killed process is free: so nothing that a
living process writes is removed. Where a file system has no locks, nothing is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from pathlib import Path

_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOUND = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def new_file(folder: Path) -> tuple[Path, int]:
    """Make a hidden file in a folder; return it and a descriptor to write to, which locks it.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        path = _name(folder)
        descriptor = os.open(path, _FILE, 0o666)  # less the umask, as for any new file
        if _locked(descriptor, path):
            return path, descriptor


def new_folder(folder: Path) -> tuple[Path, int]:
    """Make a hidden folder in a folder; return it and a descriptor, which locks it.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        path = _name(folder)
        path.mkdir()
        with contextlib.suppress(FileNotFoundError):  # taken for a leftover before it was locked
            descriptor = os.open(path, _FOLDER)
            if _locked(descriptor, path):
                return path, descriptor


def drop_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder; what cannot be removed stays."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found.extend(folder.glob('.sff_*.part'))
    for path in found:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, _FOUND)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def _name(folder: Path) -> Path:
    return folder / f'.sff_{uuid.uuid4().hex[:8]}.part'


def _locked(descriptor: int, path: Path) -> bool:
    """Lock what was just made; close it where it was taken for a leftover before."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return True
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return False
