"""Write a folder atomically."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sff_ros.files.unfinished import drop_leftovers, new_folder
from sff_ros.files.whole_file import sync_folder


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder whose files are moved to `target` when the block succeeds.

    An existing target keeps its other files. If the block raises, nothing is written.

    Raises:
        OSError: the folder cannot be created or moved.
    """
    target = target.absolute()
    # In the target or beside it, so that the move is a rename within one file system.
    near = next(folder for folder in (target, *target.parents) if folder.exists())
    drop_leftovers(near)
    stage, descriptor = new_folder(near)
    try:
        yield stage
        if target.exists():
            for file in stage.iterdir():
                os.replace(file, target / file.name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            stage.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(descriptor)
