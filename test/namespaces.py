"""A /dev/shm of its own for the programs of a test, as small as that of a container."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o size=$0 tmpfs /dev/shm && echo mounted && exec cat'


class SmallMemory:
    """A mount namespace; programs join it by a prefix of their command."""

    def __init__(self, holder: subprocess.Popen[str]) -> None:
        self._holder = holder
        self.folder = Path(f'/proc/{holder.pid}/root/dev/shm')
        self.enter = ['nsenter', f'--target={holder.pid}', '--user', '--mount']
        self.enter += ['--preserve-credentials', '--wd=.']

    def used(self) -> int:
        """Return the bytes in use."""
        space = os.statvfs(self.folder)
        return (space.f_blocks - space.f_bfree) * space.f_frsize


@contextmanager
def small_memory(megabytes: int) -> Iterator[SmallMemory]:
    """Mount a small /dev/shm for some programs; skip the test where that is not permitted."""
    if not shutil.which('unshare') or not shutil.which('nsenter'):
        pytest.skip('needs unshare and nsenter of util-linux')
    command = ['unshare', '-rm', 'sh', '-c', _MOUNT, f'{megabytes}M']
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != 'mounted\n':
            pytest.skip('no mount namespace: not permitted here')
        try:
            yield SmallMemory(holder)
        finally:
            holder.stdin.close()
