"""Stamps of messages as integers."""

from __future__ import annotations

from typing import Any

from sff_ros.errors import StackError

SECOND_NS = 1_000_000_000


def stamp_ns(stamp: Any) -> int:
    """Return a builtin_interfaces/Time in nanoseconds, 0 .. 2**31 s.

    Raises:
        StackError: it has a second or more in its nanoseconds, or is before 1970.
    """
    sec, nanosec = int(stamp.sec), int(stamp.nanosec)
    if sec < 0 or nanosec >= SECOND_NS:
        raise StackError(
            f'a stamp must have sec >= 0 and nanosec < 1e9, not sec {sec} and nanosec {nanosec}'
        )
    return sec * SECOND_NS + nanosec
