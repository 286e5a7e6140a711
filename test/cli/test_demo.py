from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from programs import HANG_S, wait

DOME = Path(__file__).parents[1] / 'data' / 'dome'
COMMAND = (sys.executable, '-m', 'sff_ros.cli', 'demo')


def demo(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)


def metrics_of(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / 'metrics.json').read_text())
    return metrics


def check_cloud(out: Path) -> None:
    """Make sure that the cloud has a point for each valid pixel."""
    head, _, body = (out / 'cloud.ply').read_bytes().partition(b'end_header\n')
    count = int(head.split(b'element vertex ')[1].split()[0])
    assert len(body) == 15 * count  # three floats and three bytes a point
    share = count / (640 * 480)
    assert share == pytest.approx(metrics_of(out)['valid_fraction'], abs=0.05)
    z = np.frombuffer(body, [('xyz', '<f4', 3), ('rgb', 'u1', 3)])['xyz'][:, 2]
    assert 0.28 < z.min() < z.max() < 0.97


def test_simulated_camera(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    with running_demo(out, sweeps=3) as (process, nodes):
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, complaint
    assert not Path(f'/proc/{nodes}').exists()
    assert {path.name for path in out.iterdir()} == {
        'all_in_focus.png',
        'depth.png',
        'confidence.png',
        'cloud.ply',
        'stack.png',
        'error.png',
        'metrics.json',
    }
    metrics = metrics_of(out)
    assert metrics['sweeps'] >= 3
    assert metrics['depth_abs_rel'] <= 0.03
    assert metrics['valid_fraction'] >= 0.7
    assert 0 < metrics['depth_mae_m'] < 0.02
    latency = metrics['latency_ms']['last_slice_to_depth']
    assert 0 < latency['median'] <= latency['p95']
    assert {'dropped_slices', 'lost_sweeps'} <= metrics.keys()
    assert json.loads(printed.splitlines()[0]) == metrics
    sharp = cv2.imread(str(out / 'all_in_focus.png'))
    assert sharp is not None
    assert sharp.shape == (480, 640, 3)
    check_cloud(out)


@pytest.mark.slow
def test_folder_without_focus_distances_gives_slice_positions(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    done = demo('--seconds', '1', '--camera', 'folder', '--stack', DOME, '--out', out)
    assert done.returncode == 0, done.stderr
    metrics = metrics_of(out)
    assert metrics['sweeps'] >= 1
    assert 'depth_mae_m' not in metrics
    assert not (out / 'cloud.ply').exists()
    assert (out / 'depth.png').stat().st_size > 10_000


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--seconds', '0'], '--seconds is 0; allowed: more than 0'),
        (['--stack', 'x'], '--stack needs --camera folder'),
        (['--camera', 'folder'], '--camera folder needs --stack DIR'),
        (['--camera', 'folder', '--stack', '/nowhere'], '/nowhere: is not a folder of '),
    ],
)
def test_bad_arguments_are_reported_in_one_line(
    args: list[str], message: str, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    done = demo(*args, '--out', out)
    assert done.returncode == 1
    assert done.stderr.startswith(f'sff demo: error: {message}')
    assert done.stderr.count('\n') == 1
    assert not out.exists()


@contextmanager
def running_demo(out: Path, sweeps: int = 1) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a demo that has seen depth of so many sweeps, and the process id of its nodes."""
    with subprocess.Popen(
        [*COMMAND, '--seconds', str(HANG_S), '--out', str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        said = (re.search(r'(\d+) sweeps', line) for line in process.stderr)
        next(count for count in said if count and int(count[1]) >= sweeps)
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
        yield process, int(children)


@pytest.mark.parametrize(
    'number', [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)]
)
def test_a_signal_keeps_what_there_is_and_ends_the_nodes(
    number: signal.Signals, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    with running_demo(out) as (process, nodes):
        process.send_signal(number)
        assert process.wait(HANG_S) == 0
    assert metrics_of(out)['sweeps'] >= 1
    assert not Path(f'/proc/{nodes}').exists()


def test_a_killed_demo_leaves_no_nodes_behind(tmp_path: Path) -> None:
    with running_demo(tmp_path / 'out') as (process, nodes):
        process.kill()
        try:
            wait(lambda: has_ended(nodes), 'the end of the nodes')
        finally:
            if not has_ended(nodes):
                os.kill(nodes, signal.SIGKILL)


def has_ended(pid: int) -> bool:
    """Return whether a process is gone, or dead and not yet waited for."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True


@pytest.mark.slow
def test_the_end_of_the_nodes_is_the_end_of_the_demo(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    with running_demo(out) as (process, nodes):
        os.kill(nodes, signal.SIGKILL)
        assert process.stderr is not None
        rest = process.stderr.read()
        assert process.wait(HANG_S) == 1
    assert 'sff demo: error: the nodes ended with exit code -9' in rest
    assert not out.exists()
