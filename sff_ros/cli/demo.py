"""`sff demo`: run the nodes over DDS for a while and record their output."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from sff_ros.cli.report.demo_report import write_report
from sff_ros.errors import ConfigError, SffError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.export import checked_out
from sff_ros.files.home import expanded
from sff_ros.files.stack import read_stack
from sff_ros.files.whole_file import write_file
from sff_ros.inference.choice import AUTO, BACKENDS

if TYPE_CHECKING:
    from sff_ros.nodes.observer import Seen

HELP = 'Run the camera, inference and depth nodes for a while and save what they publish.'
_FIRST_RESULT_S = 60.0  # timeout for the first depth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff demo`."""
    parser.add_argument('--seconds', type=float, default=10.0, help='how long (default: 10)')
    parser.add_argument('--out', type=Path, default=Path('out'), help='folder (default: out)')
    parser.add_argument('--camera', choices=('simulated', 'folder'), default='simulated')
    parser.add_argument('--stack', type=Path, help='folder of images, for --camera folder')
    parser.add_argument(
        '--backend',
        choices=(AUTO, *BACKENDS),
        default=AUTO,
        help='backend of the focus map (default: the best available)',
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff demo`; return 0 only if depth was received.

    Raises:
        SffError: invalid arguments or images, or the nodes did not start or published nothing.
    """
    parameters = _node_parameters(args)
    out = checked_out(args.out, args.stack)
    # Loaded here: the rest of the command line works without ROS.
    try:
        from sff_ros.nodes.observer import Seen, observe
    except ImportError as err:
        raise SffError(f'the demo needs ROS 2 ({err}): use ./run demo') from err

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            # A flag, not an exception, which could be raised in the middle of a callback.
            signal.signal(number, lambda *_: stop.set())
    seen = Seen()
    with _nodes(parameters) as process:
        observe(seen, _Watch(seen, process, args.seconds, stop).go_on)
    _show('\n')
    if not seen.results or (seen.depth_m is not None and not any(seen.valid)):
        raise SffError(f'no depth in {len(seen.results)} sweeps')
    with staged_folder(out) as stage:
        metrics = write_report(stage, seen)
        written = sorted(path.name for path in stage.iterdir())
    print(json.dumps(metrics))
    print(f'{out}: {", ".join(written)}')
    return 0


def _node_parameters(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the parameters set by the arguments, by node."""
    if args.seconds <= 0:
        raise ConfigError(f'--seconds is {args.seconds:g}; allowed: more than 0')
    inference = {'backend': args.backend}
    if args.camera == 'simulated':
        if args.stack is not None:
            raise ConfigError('--stack needs --camera folder')
        return {'capture_node': {'camera': 'simulated'}, 'inference_node': inference}
    if args.stack is None:
        raise ConfigError('--camera folder needs --stack DIR')
    folder = expanded(args.stack).resolve()
    read_stack(folder)  # so that an invalid stack is reported here, in one line
    capture = {'camera': 'folder', 'folder.path': str(folder)}
    return {'capture_node': capture, 'inference_node': inference}


@contextmanager
def _nodes(parameters: dict[str, dict[str, Any]]) -> Iterator[subprocess.Popen[str]]:
    """Run the three nodes in a separate process during the block."""
    by_node = {f'/**/{node}': {'ros__parameters': v} for node, v in parameters.items()}
    with tempfile.TemporaryDirectory(prefix='sff_demo_') as scratch:
        file = Path(scratch) / 'parameters.yaml'
        write_file(file, yaml.safe_dump(by_node))
        program = [sys.executable, '-m', 'sff_ros.nodes.all_in_one', '--end-with-stdin']
        process = subprocess.Popen(
            [*program, '--ros-args', '--params-file', str(file), '--log-level', 'warn'],
            stdin=subprocess.PIPE,  # closed when this program ends, also by SIGKILL
            env={**os.environ, 'PYTHONUNBUFFERED': '1'},
            text=True,
            start_new_session=True,  # Ctrl-C reaches this program only, which stops the nodes
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class _Watch:
    """Decides how long to listen, and shows progress."""

    def __init__(
        self,
        seen: Seen,
        process: subprocess.Popen[str],
        seconds: float,
        stop: threading.Event,
    ) -> None:
        self._stop = stop
        self._seen = seen
        self._process = process
        self._seconds = seconds
        self._start = time.monotonic()
        self._first = 0.0
        self._shown = 0.0

    def go_on(self) -> bool:
        """Return whether to continue: for the given time from the first result, or till a signal.

        Raises:
            SffError: the nodes ended, or published no depth in time.
        """
        if self._stop.is_set():
            return False
        now = time.monotonic()
        elapsed = now - self._start
        if self._process.poll() is not None:
            raise SffError(f'the nodes ended with exit code {self._process.returncode}')
        if not self._first and self._seen.results:
            self._first = now
            _show(f'first depth after {elapsed:.1f} s\n')
        if not self._first and elapsed > max(self._seconds, _FIRST_RESULT_S):
            problems = '; '.join(f'{n}: {t}' for n, t in self._seen.problems.items() if t)
            raise SffError(f'no depth in {elapsed:.0f} s ({problems or "all nodes report OK"})')
        if now - self._shown > 0.5:
            self._shown = now
            _show(_progress(self._seen, elapsed))
        return not self._first or now - self._first < self._seconds


def _show(text: str) -> None:
    sys.stderr.write(text if text.endswith('\n') else f'\r\033[K{text}')
    sys.stderr.flush()


def _progress(seen: Seen, elapsed_s: float) -> str:
    parts = [f'{elapsed_s:4.0f} s', f'{len(seen.results)} sweeps']
    if seen.depth_m is not None and np.isfinite(seen.depth_m).any():
        low, high = np.percentile(seen.depth_m[np.isfinite(seen.depth_m)], (1, 99))
        parts += [f'depth {low:.2f} .. {high:.2f} m', f'valid {100 * seen.valid[-1]:.0f} %']
    if seen.errors:
        parts.append(f'error {1e3 * seen.errors[-1][0]:.1f} mm')
    if seen.latencies_s:
        parts.append(f'latency {1e3 * np.median(seen.latencies_s):.0f} ms')
    return '   '.join(parts)
