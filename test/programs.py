"""What tests of programs share: patience that only a program that hangs uses up."""

from __future__ import annotations

import time
from collections.abc import Callable

# A deadline bounds a hang and nothing else: on a busy machine everything takes many times as long.
HANG_S = 300.0


def wait(until: Callable[[], object], about: str, timeout_s: float = HANG_S) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: it never was.
    """
    end = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f'waited {timeout_s:g} s for {about}')
        time.sleep(0.005)
