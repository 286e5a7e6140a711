"""Nodes under little shared memory, on loopback only, and with SROS2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from namespaces import SmallMemory, small_memory
from programs import HANG_S, wait

ROOT = Path(__file__).resolve().parents[2]
NODE = [sys.executable, '-m', 'sff_ros.nodes.depth_node', '--ros-args', '--log-level', 'warn']
SEGMENT_BYTES = 17_000_000
Start = Callable[..., 'subprocess.Popen[str]']


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start depth_node; what it says is in `said`. Whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(memory: SmallMemory | None = None, **environment: str) -> subprocess.Popen[str]:
        ours = {'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds_localhost.xml')}
        with (tmp_path / 'said').open('w') as said:
            started.append(
                subprocess.Popen(
                    [*(memory.enter if memory else []), *NODE],
                    env={**os.environ, 'PYTHONPATH': str(ROOT), **ours, **environment},
                    stderr=said,
                    text=True,
                )
            )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def sockets(process: subprocess.Popen[str]) -> list[tuple[str, int]]:
    """Return address and port of the UDP sockets of a process."""
    inodes = set()
    for entry in Path(f'/proc/{process.pid}/fd').iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(entry)
            if target.startswith('socket:['):
                inodes.add(target[8:-1])
    found = []
    for line in Path('/proc/net/udp').read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            address, _, port = fields[1].partition(':')
            found.append((address, int(port, 16)))
    return found


def is_up(process: subprocess.Popen[str]) -> bool:
    """Return whether a node has its port for discovery."""
    first = 7400 + 250 * int(os.environ['ROS_DOMAIN_ID'])
    return process.poll() is not None or any(
        first <= port < first + 250 for _, port in sockets(process)
    )


def test_killed_nodes_leave_no_shared_memory_behind(start: Start, tmp_path: Path) -> None:
    with small_memory(40) as memory:
        for _ in range(5):  # without removal the third finds no room
            node = start(memory)
            wait(partial(is_up, node), 'the node to be up')
            assert SEGMENT_BYTES < memory.used() < 1.3 * SEGMENT_BYTES
            node.kill()
            node.wait()
    assert not (tmp_path / 'said').read_text()


def test_a_node_without_shared_memory_uses_udp_alone(start: Start, tmp_path: Path) -> None:
    with small_memory(8) as memory:
        node = start(memory)
        wait(lambda: is_up(node), 'the node to be up')
        files = {file.name for file in memory.folder.iterdir() if 'fastdds' in file.name}
        node.send_signal(signal.SIGINT)
        assert node.wait(HANG_S) == 0
    assert not files
    (said,) = (tmp_path / 'said').read_text().splitlines()
    assert 'only 8.4 MB are free in /dev/shm' in said
    assert 'UDP alone' in said


def test_a_profile_of_ones_own_stays_in_force(start: Start, tmp_path: Path) -> None:
    own = tmp_path / 'own.xml'
    own.write_text((ROOT / 'config' / 'fastdds.xml').read_text().replace('16777216', '1000000'))
    with small_memory(8) as memory:
        node = start(memory, FASTDDS_DEFAULT_PROFILES_FILE=str(own))
        wait(lambda: memory.used() > 1_000_000 and is_up(node), 'its segment')
    assert 'names a profile that may need more' in (tmp_path / 'said').read_text()


@pytest.mark.parametrize('shm', ['1', '0'])
def test_peers_are_heard_on_loopback_only(start: Start, shm: str) -> None:
    node = start(SFF_SHM=shm)
    wait(lambda: is_up(node), 'the node to be up')
    first = 7400 + 250 * int(os.environ['ROS_DOMAIN_ID'])
    heard = {address for address, port in sockets(node) if first <= port < first + 250}
    assert heard == {'0100007F'}


@pytest.mark.parametrize('folder', ['', 'empty', 'no_keys'])
def test_security_without_keys_is_refused_in_one_line(
    folder: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'no_keys' / 'enclaves').mkdir(parents=True)
    keystore = str(tmp_path / folder) if folder else ''
    node = start(
        ROS_SECURITY_ENABLE='true', ROS_SECURITY_STRATEGY='Enforce', ROS_SECURITY_KEYSTORE=keystore
    )
    assert node.wait(HANG_S) == 1
    lines = (tmp_path / 'said').read_text().splitlines()
    (said,) = (line for line in lines if '[INFO]' not in line)
    assert 'SROS2 is on' in said
    assert f'ROS_SECURITY_KEYSTORE is {keystore!r}' in said
