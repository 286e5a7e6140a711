"""The shared memory of Fast DDS: what killed processes left in it, and what is free.

A process that ends removes its files; one that is killed cannot. Each segment and each port has a
lock file, on which its owner holds an flock as long as it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path('/dev/shm')
# A process allocates 18 MB with our profile; where its ports do not fit, Fast DDS hangs.
ENOUGH_BYTES = 20_000_000

# fastdds_ is of Fast DDS 3 (Kilted), fastrtps_ of Fast DDS 2 (Humble, Jazzy).
_NAME = re.compile(r'(fast(?:dds|rtps)_(?:port\d+|[0-9a-f]{16}))(?:_[es]l)?')
_LOCKS = ('_el', '_sl')  # of one reader or owner, of several readers
_SMALLEST_PORT = 4096  # bytes; a smaller one is being made, or could not be: memory was short
_MAKING_S = 10.0


def free_bytes(folder: Path = FOLDER) -> int:
    """Return how much shared memory this user can still allocate."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def leftover_bytes(folder: Path = FOLDER) -> int:
    """Return the size of what dead processes of this user left."""
    total = 0
    for name in _names(folder):
        with _abandoned(folder, name) as files:
            total += sum(_size(file) for file in files)
    return total


def remove_leftovers(folder: Path = FOLDER) -> None:
    """Remove what dead processes of this user left; nothing that a living one uses."""
    for name in _names(folder):
        with _abandoned(folder, name) as files:
            for file in files:
                # A peer of the dead process may be faster.
                with contextlib.suppress(OSError):
                    file.unlink()


def _names(folder: Path) -> list[str]:
    """Return the segments and ports of this user."""
    user, names = os.getuid(), set()
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            with contextlib.suppress(FileNotFoundError):
                if match and entry.stat(follow_symlinks=False).st_uid == user:
                    names.add(match[1])
    return sorted(names)


@contextlib.contextmanager
def _abandoned(folder: Path, name: str) -> Iterator[list[Path]]:
    """Yield the files of a segment or port whose owner is dead, lock files last; else none.

    The locks are held meanwhile, as Fast DDS does where it looks for dead owners itself: a process
    that starts then takes another name or port.
    """
    main, locks = folder / name, [folder / f'{name}{end}' for end in _LOCKS]
    with contextlib.ExitStack() as held:
        try:
            taken = [lock for lock in locks if _take(lock, held)]
        except OSError:  # held by its owner, or of another user
            yield []
            return
        dead = bool(taken) or not _may_lack_locks(main)
        yield [main, *taken] if dead else []


def _take(lock: Path, held: contextlib.ExitStack) -> bool:
    """Lock a file until `held` ends; false if there is none.

    Raises:
        OSError: the lock is held or was just removed, or the file is of another user.
    """
    try:
        number = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    held.callback(os.close, number)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fstat(number).st_nlink == 0:
        raise BlockingIOError(f'{lock} was removed meanwhile, and perhaps made anew')
    return True


def _may_lack_locks(main: Path) -> bool:
    """Return whether a living process may use these without a lock.

    A segment is locked before it exists. A port is locked by those who read from it: one that its
    writers opened first has no lock.
    """
    if '_port' not in main.name:
        return False
    with contextlib.suppress(FileNotFoundError):
        state = main.stat()
        return state.st_size >= _SMALLEST_PORT or abs(time.time() - state.st_mtime) < _MAKING_S
    return True


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0
