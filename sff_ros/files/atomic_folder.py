"""Write a folder atomically."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder whose files are moved to `target` when the block succeeds.

    An existing target keeps its other files. If the block raises, nothing is written.

    Raises:
        OSError: the folder cannot be created or moved.
    """
    target = target.absolute()
    # Beside the target, so that the move is a rename within one file system.
    beside = next(folder for folder in target.parents if folder.exists())
    stage = beside / f'.{target.name}.{uuid.uuid4().hex[:8]}'
    stage.mkdir()
    try:
        yield stage
        if target.exists():
            for file in stage.iterdir():
                os.replace(file, target / file.name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            stage.rename(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
