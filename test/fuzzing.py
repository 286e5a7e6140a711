"""Inputs made at random, and what a program may make of them.

The inputs are the same in each run of the tests. SFF_FUZZ_SEED=N gives others, the same for each
N: `./run fuzz --minutes M` counts it up.
"""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from sff_ros.errors import SffError

WHY = 'hypothesis makes the inputs: pip install -r requirements/test.txt'
hypothesis: Any = pytest.importorskip('hypothesis', reason=WHY)
st: Any = pytest.importorskip('hypothesis.strategies', reason=WHY)

SEED = os.environ.get('SFF_FUZZ_SEED')
MARKS = [  # of every file that fuzzes
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::RuntimeWarning'),
    pytest.mark.filterwarnings('ignore:Generating overly large repr'),
]

# What breaks programs that expect something else.
FLOATS = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e300, -1e300, 2.0**31, 2.0**53, 2.0**63, 1e38, 4e38),
    *(math.nan, math.inf, -math.inf, 16.0, 255.0, 65536.0, 1e-9),
)
INTEGERS = (0, 1, -1, 2, 3, 15, 16, 255, 65535, 65536, 2**31 - 1, 2**31, 2**63, -(2**63), 10**400)
WORDS = ('', 'x', 'nan', 'none', 'x' * 5000, '\n', '\x7f', '%s{0}', 'true', '~', 'é')
ODD: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [1, 2, 3], [1.5] * 15, ['a'] * 3, {'a': 1}, {1: 2}),
    *(datetime.date(2020, 1, 1), b'\x00', [math.nan] * 3, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
)
values: Any = st.one_of(*(st.sampled_from(some) for some in (FLOATS, INTEGERS, WORDS, ODD)))


def fuzz(check: Callable[[Any], None], inputs: Any, examples: int) -> None:
    """Run a check on many inputs.

    Args:
        check: raises what it finds.
        inputs: a strategy of hypothesis.
        examples: how many inputs.
    """
    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=SEED is None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    test = hypothesis.given(inputs)(check)
    settings(test if SEED is None else hypothesis.seed(int(SEED))(test))()


@contextmanager
def refusal() -> Iterator[None]:
    """Let a refusal pass, which is an SffError of one line, and nothing else."""
    said = 'nothing'
    try:
        yield
    except SffError as err:
        said = str(err)
    assert said
    assert '\n' not in said, said


def damaged(content: bytes, words: Sequence[bytes] = (b'',)) -> Any:
    """Return a strategy of a file with some places cut, overwritten or filled in.

    Args:
        content: of the file.
        words: what may be put in, besides random bytes.
    """
    place = st.integers(0, len(content))
    cut = st.sampled_from((0, 0, 1, 2, 4, 9, 64, len(content)))
    put = st.one_of(st.binary(max_size=8), st.sampled_from(tuple(words)))
    edits = st.lists(st.tuples(place, cut, put), min_size=1, max_size=4)
    return edits.map(lambda chosen: edited(content, chosen))


def edited(content: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Return a file after some edits: where, how many bytes to cut, and what to put there."""
    for at, cut, put in edits:
        content = content[:at] + put + content[at + cut :]
    return content


def spoilt(tree: Any) -> Any:
    """Return a strategy of a tree of settings in which some values are others, or missing."""
    paths = list(_paths(tree))
    changes = st.lists(st.tuples(st.sampled_from(paths), values), min_size=1, max_size=3)
    return changes.map(lambda chosen: _changed(tree, chosen))


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (*path, key)
        yield from _paths(tree[key], (*path, key))


def _changed(tree: Any, changes: Sequence[tuple[tuple[Any, ...], Any]]) -> Any:
    for path, value in changes:
        tree = _with(tree, path, value)
    return tree


def _with(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a tree with another value at a path; the tree if an earlier change took the path."""
    key, *rest = path
    if isinstance(tree, dict) and key in tree:
        return tree | {key: _with(tree[key], tuple(rest), value) if rest else value}
    if isinstance(tree, list) and key in range(len(tree)):
        inner = _with(tree[key], tuple(rest), value) if rest else value
        return [*tree[:key], inner, *tree[key + 1 :]]
    return tree
