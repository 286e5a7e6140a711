"""The chain in the shared memory of a container: killed under respawn, and without any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from namespaces import SmallMemory, small_memory
from programs import HANG_S

PROFILE = {'FASTDDS_DEFAULT_PROFILES_FILE': 'config/fastdds_localhost.xml'}
ROOT = Path(__file__).resolve().parents[2]


def run(memory: SmallMemory, *program: str) -> str:
    """Run a Python program of the repository; return what it prints."""
    done = subprocess.run(
        [*memory.enter, sys.executable, *program],
        env={**os.environ, **PROFILE, 'PYTHONPATH': str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_kill_heals_and_leaves_no_memory_behind() -> None:
    with small_memory(64) as memory:
        said = json.loads(run(memory, 'benchmarks/chaos.py', '--kills', '6', '--size', '96x64'))
    assert said['kills'] == 6
    assert said['after']['dev_shm_mb'] < 1.1 * said['before']['dev_shm_mb']
    assert all(said['active_to_depth_s'][node] for node in ('capture_node', 'depth_node'))


@pytest.mark.slow
def test_depth_comes_by_udp_alone(tmp_path: Path) -> None:
    with small_memory(8) as memory:
        said = run(memory, '-m', 'sff_ros.cli', 'demo', '--seconds', '1', '--out', f'{tmp_path}/o')
    assert json.loads(said.splitlines()[0])['sweeps'] >= 1
