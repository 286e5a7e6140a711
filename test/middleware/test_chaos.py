"""Nodes that are killed under respawn, in the shared memory of a container."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from namespaces import small_memory
from programs import HANG_S

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_kill_heals_and_leaves_no_memory_behind() -> None:
    chaos = [sys.executable, 'benchmarks/chaos.py', '--kills', '6', '--size', '96x64']
    profile = str(ROOT / 'config' / 'fastdds_localhost.xml')
    environment = {'PYTHONPATH': str(ROOT), 'FASTDDS_DEFAULT_PROFILES_FILE': profile}
    with small_memory(64) as memory:
        done = subprocess.run(
            [*memory.enter, *chaos],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=2 * HANG_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said['kills'] == 6
    assert said['after']['dev_shm_mb'] < 1.1 * said['before']['dev_shm_mb']
    assert all(said['active_to_depth_s'][node] for node in ('capture_node', 'depth_node'))
