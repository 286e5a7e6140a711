"""Engines on disk: found where they fit, never when stale, damaged or foreign."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from engine_key import KEY

from sff_ros.errors import ModelError
from sff_ros.files.unfinished import new_file
from sff_ros.inference.tensorrt import engine_cache
from sff_ros.inference.tensorrt.engine_cache import EngineCache, EngineKey, default_folder

ENGINE = bytes(range(256)) * 40
LEFT = '.sff_0123abcd.part'  # of a process that was killed while it wrote


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'cache')


def never() -> bytes:
    raise AssertionError('built without need')


def store(cache: EngineCache, key: EngineKey = KEY, engine: bytes = ENGINE) -> Path:
    before = set(cache.folder.glob('*.engine'))
    cache.get(key, lambda: engine)
    (path,) = set(cache.folder.glob('*.engine')) - before
    return path


def test_what_was_built_is_found_again_and_not_built_again(cache: EngineCache) -> None:
    built = cache.get(KEY, lambda: ENGINE)
    assert (built.content, built.loaded, built.note) == (ENGINE, False, '')
    found = EngineCache(cache.folder).get(KEY, never)
    assert (found.content, found.loaded, found.build_s) == (ENGINE, True, built.build_s)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    'other',
    [
        replace(KEY, graph_sha256='ac' * 32),
        replace(KEY, library='tensorrt 10.3.1'),
        replace(KEY, library='tensorrt_rtx 10.3.0'),
        replace(KEY, gpu='NVIDIA GeForce RTX 4090 8.9'),
        replace(KEY, driver='12.7'),
        replace(KEY, precision='fp32'),
        replace(KEY, shapes=(('context', (1, 3, 480, 656)), ('evidence', (1, 7, 240, 320)))),
    ],
)
def test_an_engine_of_anything_else_is_not_loaded(cache: EngineCache, other: EngineKey) -> None:
    path = store(cache)
    assert cache.load(other) is None
    # Not even where the file has the name that the other one should have.
    path.rename(cache.folder / f'{other.digest}.engine')
    assert cache.load(other) is None
    assert cache.get(other, lambda: b'new').content == b'new'
    found = cache.load(other)
    assert found is not None
    assert found.content == b'new'


def cut(raw: bytes) -> bytes:
    return raw[:-1]


def cut_in_the_header(raw: bytes) -> bytes:
    return raw[:60]


def flipped(raw: bytes) -> bytes:
    return raw[:-100] + bytes([raw[-100] ^ 1]) + raw[-99:]


def longer(raw: bytes) -> bytes:
    return raw + b'x'


def foreign(_: bytes) -> bytes:
    return b'ptrt' + bytes(1000)


def other_header(raw: bytes) -> bytes:
    magic, _, rest = raw.split(b'\n', 2)
    return b'\n'.join((magic, b'[1, 2]', rest))


def test_a_file_system_without_locks_keeps_the_engine(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    assert cache.get(KEY, lambda: ENGINE).note == ''
    assert cache.get(KEY, never).content == ENGINE


@pytest.mark.parametrize(
    ('spoil', 'fault'),
    [
        (cut, 'has 10239 bytes of 10240'),
        (cut_in_the_header, 'has a damaged header'),
        (flipped, 'is damaged: its digest does not fit'),
        (longer, 'has 10241 bytes of 10240'),
        (foreign, 'is no engine of this package'),
        (other_header, 'has a damaged header'),
        (lambda _: b'', 'is no engine of this package'),
    ],
)
def test_a_damaged_file_is_named_not_loaded_and_replaced(
    cache: EngineCache, spoil: Callable[[bytes], bytes], fault: str
) -> None:
    path = store(cache)
    path.write_bytes(spoil(path.read_bytes()))
    assert [entry.fault for entry in cache.entries()] == [fault]
    assert cache.load(KEY) is None
    assert cache.get(KEY, lambda: b'sound').content == b'sound'
    assert [entry.fault for entry in cache.entries()] == ['']


def test_a_failed_build_leaves_nothing_and_is_tried_again(cache: EngineCache) -> None:
    def fail() -> bytes:
        raise ModelError('no memory')

    with pytest.raises(ModelError, match='no memory'):
        cache.get(KEY, fail)
    assert list(cache.folder.glob('*.engine')) == []
    assert cache.get(KEY, lambda: ENGINE).content == ENGINE


def test_a_build_interrupted_while_it_writes_leaves_no_engine(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache.get(KEY, lambda: ENGINE)
    assert [path.name for path in cache.folder.iterdir()] == ['lock']
    assert cache.load(KEY) is None
    (cache.folder / LEFT).write_bytes(b'half')  # by one that was killed
    cache.get(KEY, lambda: ENGINE)
    assert [path.suffix for path in cache.folder.iterdir() if path.name != 'lock'] == ['.engine']


def test_two_threads_that_miss_the_same_engine_build_it_once(cache: EngineCache) -> None:
    builds: list[int] = []
    waits: list[int] = []
    started = threading.Event()
    contents = []

    def build() -> bytes:
        builds.append(1)
        started.set()
        wait_for(lambda: bool(waits))
        return ENGINE

    def get() -> None:
        engine = cache.get(KEY, build, lambda: waits.append(1))
        contents.append((engine.content, engine.loaded))

    first = threading.Thread(target=get)
    first.start()
    assert started.wait(5)
    second = threading.Thread(target=get)
    second.start()
    for thread in (first, second):
        thread.join(10)
    assert (len(builds), len(waits)) == (1, 1)
    assert sorted(contents) == [(ENGINE, False), (ENGINE, True)]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


CONTENDER = """
import sys, time
from pathlib import Path
from sff_ros.inference.tensorrt.engine_cache import EngineCache, EngineKey
folder = Path(sys.argv[1])
key = EngineKey('ab', 'tensorrt 10', 'Orin 8.7', '12.6', 'fp16', (('x', (1, 3)),))
def build():
    print('built', flush=True)
    time.sleep(0.3)
    return b'an engine'
(folder / f'ready_{sys.argv[2]}').touch()
while not (folder / 'go').exists():
    time.sleep(0.005)
print(EngineCache(folder / 'cache').get(key, build).content == b'an engine')
"""


def test_processes_that_miss_the_same_engine_build_it_once(tmp_path: Path) -> None:
    root = str(Path(engine_cache.__file__).parents[3])
    command = [sys.executable, '-c', CONTENDER, str(tmp_path)]
    processes = [
        subprocess.Popen(
            [*command, str(place)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': root},
        )
        for place in range(3)
    ]
    wait_for(lambda: len(list(tmp_path.glob('ready_*'))) == 3)
    (tmp_path / 'go').touch()
    said = [process.communicate(timeout=30)[0].split() for process in processes]
    assert sorted(word for words in said for word in words) == ['True', 'True', 'True', 'built']


def test_clear_deletes_all_engines_and_nothing_else(cache: EngineCache) -> None:
    store(cache)
    store(cache, replace(KEY, precision='fp32'))
    (cache.folder / LEFT).write_bytes(b'half')
    (cache.folder / 'notes.txt').write_text('mine')
    assert cache.clear() == 2
    assert cache.entries() == []
    assert sorted(path.name for path in cache.folder.iterdir()) == ['lock', 'notes.txt']
    assert cache.clear() == 0


def test_clear_leaves_a_build_under_way_alone(cache: EngineCache) -> None:
    def build() -> bytes:
        part, descriptor = new_file(cache.folder)
        assert cache.clear() == 0
        assert part.exists()
        os.close(descriptor)
        return ENGINE

    assert cache.get(KEY, build).content == ENGINE
    assert cache.load(KEY) is not None


def test_where_nothing_can_be_written_the_engine_serves_all_the_same(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('no folder')
    engine = EngineCache(tmp_path / 'file' / 'cache').get(KEY, lambda: ENGINE)
    assert engine.content == ENGINE
    assert engine.note.startswith('not kept: ')


def test_it_lies_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('HOME', '/home/user')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_folder() == tmp_path / 'sff_ros'
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative/path')  # invalid by the specification
    assert default_folder() == Path('/home/user/.cache/sff_ros')
    monkeypatch.delenv('XDG_CACHE_HOME')
    assert default_folder() == Path('/home/user/.cache/sff_ros')
