"""Run Python where a folder is a disk of 64 kB, in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MOUNT = 'mount -t tmpfs -o size=64k none "$0"'


def on_small_disk(folder: Path, code: str) -> str:
    """Return what code prints that is run with a disk of 64 kB mounted at a folder, which is cwd.

    The test is skipped where the system permits no mount namespace.
    """
    unshare = ['unshare', '--map-root-user', '--mount', 'sh', '-c']
    try:
        tried = subprocess.run([*unshare, MOUNT, str(folder)], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip('unshare is not installed')
    if tried.returncode:
        pytest.skip(f'no mount namespace: {tried.stderr.decode().strip()}')
    python = f'{MOUNT} && cd "$0" && exec "$@"'
    run = subprocess.run(
        [*unshare, python, str(folder), sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
