"""A cache of built TensorRT engines on disk; engines that do not match or are damaged are ignored.

An engine is specific to a graph, TensorRT version, GPU, driver, precision and shape. These are
its key, and a digest of the key is its file name. The file starts with a header that has the key
and a digest of the content, so that a truncated or foreign file is never loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from sff_ros.errors import quoted
from sff_ros.files.home import expanded
from sff_ros.files.unfinished import drop_leftovers
from sff_ros.files.whole_file import read_file, write_file

_MAGIC = b'sff_ros engine 1\n'
MAX_BYTES = 1 << 32  # of a file
BUILD_S = 1e6  # no build takes as long
_SUFFIX = '.engine'
_LOCK = (
    'lock'  # one for all engines: builders time kernels, and two at once would disturb each other
)


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that an engine depends on.

    Attributes:
        graph_sha256: of the ONNX file.
        library: TensorRT's name and version, e.g. 'tensorrt 10.3.0'.
        gpu: name and compute capability, e.g. 'Orin 8.7'.
        driver: CUDA version of the driver, e.g. '12.6'.
        precision: 'fp32', 'fp16'.
        shapes: name and shape of each input.
    """

    graph_sha256: str
    library: str
    gpu: str
    driver: str
    precision: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of the key."""
        return hashlib.sha256(_as_json(asdict(self))).hexdigest()


@dataclass(frozen=True, slots=True)
class Engine:
    """A serialised engine and where it came from.

    Attributes:
        content: what TensorRT deserialises.
        build_s: duration of its build, now or earlier, s.
        loaded: whether it came from the cache.
        note: why it could not be stored; empty if it was.
    """

    content: bytes
    build_s: float
    loaded: bool
    note: str = ''


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One file of the cache.

    Attributes:
        path: the file.
        size: bytes on disk.
        header: its 'key', 'build_s' and 'built' (s since 1970), among others.
        fault: why the file is unusable; empty if it is not.
    """

    path: Path
    size: int
    header: dict[str, Any]
    fault: str


def default_folder() -> Path:
    """Return ~/.cache/sff_ros, or sff_ros in XDG_CACHE_HOME.

    Raises:
        ConfigError: neither is known.
    """
    named = os.environ.get('XDG_CACHE_HOME', '')
    # By the XDG specification a relative path is invalid and ignored.
    base = Path(named) if os.path.isabs(named) else expanded('~/.cache')
    return base / 'sff_ros'


class EngineCache:
    """Engines in one folder, shared by all processes of a user."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def load(self, key: EngineKey) -> Engine | None:
        """Return the engine of a key; None if there is none, or it is damaged."""
        header, content, fault = _read(self._path(key))
        if fault or header.get('key') != json.loads(_as_json(asdict(key))):
            return None
        return Engine(content, float(header['build_s']), loaded=True)

    def get(
        self,
        key: EngineKey,
        build: Callable[[], bytes],
        on_wait: Callable[[], None] = lambda: None,
    ) -> Engine:
        """Return the engine of a key; build and store it if there is none.

        If several threads or processes need the same engine, one of them builds it.

        Args:
            build: returns the engine; if it raises, nothing is stored.
            on_wait: called once if another thread or process is building.
        """
        engine = self.load(key)
        if engine is not None:
            return engine
        try:
            lock = self._open_lock()
        except OSError as err:
            content, build_s = _timed(build)
            return Engine(content, build_s, loaded=False, note=f'not kept: {err}')
        with lock:
            with contextlib.suppress(OSError):  # a file system without locks: two may build it
                if not _try_lock(lock):
                    on_wait()
                    fcntl.flock(lock, fcntl.LOCK_EX)
            engine = self.load(key)
            if engine is not None:
                return engine
            content, build_s = _timed(build)
            try:
                self._store(key, content, build_s)
            except OSError as err:
                return Engine(content, build_s, loaded=False, note=f'not kept: {err}')
            return Engine(content, build_s, loaded=False)

    def entries(self) -> list[CacheEntry]:
        """Return all files of the cache, usable or not, sorted by name."""
        found = []
        for path in sorted(self.folder.glob(f'*{_SUFFIX}')):
            header, _, fault = _read(path)
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                found.append(CacheEntry(path, path.stat().st_size, header, fault))
        return found

    def clear(self) -> int:
        """Delete all engines and return how many; a build in progress is not disturbed."""
        paths = list(self.folder.glob(f'*{_SUFFIX}'))
        for path in paths:
            path.unlink(missing_ok=True)
        drop_leftovers(self.folder)
        return len(paths)

    def _path(self, key: EngineKey) -> Path:
        return self.folder / f'{key.digest}{_SUFFIX}'

    def _open_lock(self) -> IO[bytes]:
        """Open the lock file; create the folder for the user only, as engines are executable."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (self.folder / _LOCK).open('ab')

    def _store(self, key: EngineKey, content: bytes, build_s: float) -> None:
        """Write an engine; the caller holds the lock."""
        header = {
            'key': asdict(key),
            'built': time.time(),
            'build_s': build_s,
            'size': len(content),
            'sha256': hashlib.sha256(content).hexdigest(),
        }
        write_file(self._path(key), b''.join((_MAGIC, _as_json(header), b'\n', content)))


def _read(path: Path) -> tuple[dict[str, Any], bytes, str]:
    """Return header, content and fault of a file; the content is empty if there is a fault."""
    try:
        raw = read_file(path, MAX_BYTES)
    except OSError as err:
        return {}, b'', err.strerror or 'cannot be read'
    if not raw.startswith(_MAGIC):
        return {}, b'', 'is no engine of this package'
    line, _, content = raw[len(_MAGIC) :].partition(b'\n')
    try:
        header = _checked(json.loads(line))
    except Exception:  # arbitrary bytes may raise anything
        return {}, b'', 'has a damaged header'
    if len(content) != header['size']:
        return header, b'', f'has {len(content)} bytes of {quoted(header["size"])}'
    if hashlib.sha256(content).hexdigest() != header['sha256']:
        return header, b'', 'is damaged: its digest does not fit'
    return header, content, ''


def _checked(header: dict[str, Any]) -> dict[str, Any]:
    """Return a header that has all that is used of it.

    Raises:
        Exception: of many kinds; it has not.
    """
    key = EngineKey(**header['key'])
    words = [key.graph_sha256, key.library, key.gpu, key.driver, key.precision, header['sha256']]
    words += [name for name, _ in key.shapes]
    numbers = [header['size'], *(side for _, shape in key.shapes for side in shape)]
    if not all(type(word) is str and word.isprintable() for word in words):
        raise TypeError
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
        raise TypeError
    time.localtime(header['built'])
    if not 0 <= header['build_s'] < BUILD_S:
        raise ValueError
    return header


def _as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _timed(build: Callable[[], bytes]) -> tuple[bytes, float]:
    """Return what was built and the duration of the build, s."""
    begin = time.monotonic()
    content = build()
    return content, time.monotonic() - begin


def _try_lock(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
