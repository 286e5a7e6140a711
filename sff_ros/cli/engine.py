"""`sff engine`: build, list or delete TensorRT engines."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sff_ros.errors import ConfigError, quoted
from sff_ros.inference.shipped import shipped_model
from sff_ros.inference.tensorrt.engine_cache import CacheEntry, EngineCache
from sff_ros.inference.warm_up import Size

HELP = 'Build, list or clear the TensorRT engines in ~/.cache/sff_ros.'
EPILOG = """\
An engine is specific to an image size, GPU, TensorRT, driver and model. If any of these changes,
another engine is built automatically when it is first needed. `sff engine build` does so
beforehand, on the machine that will run it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff engine`."""
    verbs = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    build = verbs.add_parser('build', help='Build the engines of an image size.')
    build.add_argument(
        '--size', metavar='WxH', default='640x480', help='of the images (default: %(default)s)'
    )
    build.add_argument(
        '--model',
        metavar='FILE',
        type=Path,
        help='an .onnx file of `sff export` (default: the one that comes with the package)',
    )
    verbs.add_parser('list', help='List the engines in the cache.')
    verbs.add_parser('clear', help='Delete the engines in the cache.')


def run(args: argparse.Namespace) -> int:
    """Run `sff engine`.

    Raises:
        SffError: there is no GPU, or the build failed.
        OSError: the cache cannot be written.
    """
    cache = EngineCache()
    if args.action == 'build':
        _build(parse_size(args.size), args.model or shipped_model('fast_gru.onnx'))
    elif args.action == 'clear':
        print(f'{cache.folder}: {cache.clear()} engines deleted')
    else:
        entries = cache.entries()
        print(f'{cache.folder}: {len(entries)} engines')
        for entry in entries:
            print(describe(entry))
    return 0


def parse_size(text: str) -> Size:
    """Return height and width for 'WxH'.

    Raises:
        ConfigError: it is malformed.
    """
    width, _, height = text.partition('x')
    sides = [int(side) for side in (height, width) if side.isdecimal() and len(side) < 7]
    if len(sides) < 2 or not all(sides):
        raise ConfigError(f"--size {quoted(text)}: expected WxH, px, e.g. '640x480'")
    return sides[0], sides[1]


def describe(entry: CacheEntry) -> str:
    """Describe in one line what an engine is for, or what is wrong with its file."""
    name = entry.path.name[:12]
    if entry.fault:
        return f'  {name}  unusable: the file {entry.fault}'
    key, header = entry.header['key'], entry.header
    shapes: dict[str, list[int]] = dict(key['shapes'])
    *_, height, width = ('?', '?', *(shapes.get('context') or shapes.get('image') or []))
    built = time.strftime('%Y-%m-%d %H:%M', time.localtime(header['built']))
    return (
        f'  {name}  {width}x{height} {key["precision"]}  {key["gpu"]}  {key["library"]}  '
        f'CUDA {key["driver"]}  {entry.size / 1e6:.1f} MB  built {built} in '
        f'{header["build_s"]:.1f} s'
    )


def show_progress() -> Callable[[str, float], None]:
    """Return a callback that rewrites one line of a terminal, and prints nothing elsewhere."""
    shown = [-1]

    def progress(what: str, share: float) -> None:
        percent = int(100 * share)
        if sys.stderr.isatty() and percent != shown[0]:
            shown[0] = percent
            end = '\n' if percent == 100 else ''
            print(f'\r{percent:3d} %  {what:<40}', end=end, file=sys.stderr, flush=True)

    return progress


def _build(size: Size, model: Path) -> None:
    """Load or build the engines of a size, and try them."""
    # Imported late: list and clear must work where the backend cannot be loaded.
    from sff_ros.inference.tensorrt.backend import open_tensorrt

    backend = open_tensorrt(model)
    print(f'{backend.device.library} on {backend.device.gpu}: {size[1]}x{size[0]}, a build takes '
          'seconds to minutes')  # fmt: skip
    begin = time.monotonic()
    backend.build(size, show_progress())
    elapsed = time.monotonic() - begin
    for built in backend.engines:
        where = 'from the cache' if built.loaded else f'built in {built.build_s:.1f} s'
        print(f'  {built.name} {built.precision}: {where}{built.note and f", {built.note}"}')
    print(f'ready after {elapsed:.1f} s')
