"""Write a folder atomically."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from sff_ros.files.unfinished import drop_leftovers, new_folder
from sff_ros.files.whole_file import sync_folder


@contextmanager
def staged_folder(target: Path, *, new: bool = False) -> Iterator[Path]:
    """Yield an empty folder whose files are moved to `target` when the block succeeds.

    If the block raises, nothing is written.

    Args:
        target: of the files; an existing one keeps its other files.
        new: the target must not exist, not even by the end of the block: of several processes
            that make one target, one succeeds.

    Raises:
        FileExistsError: it should be new, and is not.
        OSError: the folder cannot be created or moved.
    """
    target = target.absolute()
    # In the target or beside it, so that the move is a rename within one file system.
    near = next(folder for folder in (target, *target.parents) if folder.exists())
    drop_leftovers(near)
    stage, descriptor = new_folder(near)
    try:
        yield stage
        if target.exists() and not new:
            for file in stage.iterdir():
                os.replace(file, target / file.name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(stage, target)
        sync_folder(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(descriptor)


def free_folder(folder: Path) -> Path:
    """Return a folder that does not exist: this one, or the first of NAME_2, NAME_3, ...

    Raises:
        OSError: its parent cannot be searched.
    """
    numbered = (folder.with_name(f'{folder.name}_{number}') for number in count(2))
    return next(path for path in chain([folder], numbered) if not path.exists())


def _move(stage: Path, target: Path) -> None:
    try:
        stage.rename(target)  # onto a folder with files it fails, whenever that came to be
    except OSError as err:
        if err.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from err
