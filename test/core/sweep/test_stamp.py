"""Stamps of messages are taken or refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.errors import StackError


@pytest.mark.parametrize(
    ('sec', 'nanosec', 'expected'),
    [(0, 0, 0), (5, 7, 5_000_000_007), (2**31 - 1, 999_999_999, 2**31 * 10**9 - 1)],
)
def test_stamps_are_nanoseconds(sec: int, nanosec: int, expected: int) -> None:
    assert stamp_ns(SimpleNamespace(sec=sec, nanosec=nanosec)) == expected


@pytest.mark.parametrize(
    ('sec', 'nanosec'),
    [(-1, 0), (-(2**31), 0), (0, 10**9), (2**31 - 1, 4_000_000_000), (-1, 2**32 - 1)],
)
def test_malformed_stamps_are_refused(sec: int, nanosec: int) -> None:
    with pytest.raises(StackError, match=f'not sec {sec} and nanosec {nanosec}'):
        stamp_ns(SimpleNamespace(sec=sec, nanosec=nanosec))
