"""How much memory one sweep may take on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from sff_ros.errors import StackError

_CGROUP_LIMIT = Path('/sys/fs/cgroup/memory.max')  # of a container


def memory_bytes() -> int:
    """Return the memory that this process may use: of the machine, or of its container."""
    machine = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text(encoding='ascii')))
    except (OSError, ValueError):  # no such limit; `max`
        return machine


# The other half is for the estimate, and for everything else.
SWEEP_BYTES = memory_bytes() // 2


def check_room(count: int, bytes_each: int, size: tuple[int, int]) -> None:
    """Refuse a sweep that would not fit into the memory for one sweep.

    Args:
        count: slices of the sweep, as announced.
        bytes_each: what is kept of a slice.
        size: height and width of its image, px, for the message.

    Raises:
        StackError: it needs more than SWEEP_BYTES.
    """
    needed = count * bytes_each
    if needed > SWEEP_BYTES:
        height, width = size
        raise StackError(
            f'a sweep of {count:,} slices of {width}x{height} needs {needed / 1e9:.3g} GB, more '
            f'than {SWEEP_BYTES / 1e9:.3g} GB, half of the memory: take fewer slices, or smaller '
            'images'
        )
