"""Headers of engine files that nobody wrote: a fault in one line, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from engine_key import KEY

from sff_ros.cli.engine import describe
from sff_ros.inference.tensorrt.engine_cache import EngineCache


def with_header(change: dict[str, object]) -> Callable[[bytes], bytes]:
    def changed(raw: bytes) -> bytes:
        magic, header, rest = raw.split(b'\n', 2)
        return b'\n'.join((magic, json.dumps({**json.loads(header), **change}).encode(), rest))

    return changed


def deep(raw: bytes) -> bytes:
    magic, _, rest = raw.split(b'\n', 2)
    return b'\n'.join((magic, b'[' * 100_000, rest))


DAMAGED: list[dict[str, object]] = [
    {'key': 1},
    {'key': {}},
    {'key': {**asdict(KEY), 'gpu': 1}},
    {'key': {**asdict(KEY), 'gpu': 'a\nb'}},
    {'key': {**asdict(KEY), 'shapes': [[[], [1]]]}},
    {'key': {**asdict(KEY), 'shapes': [['context', ['a', 'b']]]}},
    {'built': 1e300},
    {'built': 'today'},
    {'build_s': 10**400},
    {'build_s': float('nan')},
    {'size': '9'},
    {'size': 10**400},
    {'sha256': None},
]


@pytest.mark.parametrize('spoil', [deep, *map(with_header, DAMAGED)])
def test_a_damaged_header_is_a_fault_and_no_traceback(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    cache = EngineCache(tmp_path)
    cache.get(KEY, lambda: b'an engine')
    (path,) = cache.folder.glob('*.engine')
    path.write_bytes(spoil(path.read_bytes()))
    assert [describe(entry) for entry in cache.entries()] == [
        f'  {KEY.digest[:12]}  unusable: the file has a damaged header'
    ]
    assert cache.get(KEY, lambda: b'sound').content == b'sound'


def test_an_engine_of_other_inputs_is_described(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.get(replace(KEY, shapes=(('x', (3,)),)), lambda: b'an engine')
    assert '?x? fp16' in describe(cache.entries()[0])
