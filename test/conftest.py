"""What all tests share: a ROS domain, signals that work, and where real focal stacks may lie."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# Tests import their helpers by name. pytest 6.2.5, that of Ubuntu 22.04 and ROS 2 Humble, does not
# know the setting `pythonpath`, and --strict-config makes what it does not know an error.
sys.path[:0] = [str(REPOSITORY / 'test'), str(REPOSITORY)]

NUM_DOMAINS = 101  # above, discovery ports reach the range the kernel hands out itself

_held: list[IO[str]] = []


def _is_quiet(domain: int) -> bool:
    """Return whether no node is on a domain: its first ports are free (DDSI-RTPS 2.5, 9.6.2.3)."""
    first = 7400 + 250 * domain  # multicast discovery; + 10: unicast, all that LOCALHOST uses
    for port in (first, first + 10):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', port))
            except OSError:
                return False
    return True


def _claim(domain: int) -> bool:
    """Lock a domain against other test sessions until this process ends."""
    lock = (Path(tempfile.gettempdir()) / f'ros_domain_{domain}.lock').open('a')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _held.append(lock)
    return True


def _free_domain() -> int:
    """Return a ROS domain that no other session and no running node uses."""
    start = os.getpid()
    for offset in range(NUM_DOMAINS):
        domain = (start + offset) % NUM_DOMAINS + 1
        if _is_quiet(domain) and _claim(domain):
            return domain
    raise pytest.UsageError(f'all ROS domains from 1 to {NUM_DOMAINS} are in use')


def _restore_signals() -> None:
    """Undo what a shell or nohup sets for a background job, which ignores some signals.

    A program inherits what is ignored; a handler it does not. So handlers that do nothing keep the
    tests themselves as deaf as they were started, and the programs that they start are not.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    # Control-C is Python's own business: tests send it to themselves.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Choose domain, middleware and log folder before any test imports rclpy."""
    _restore_signals()
    # PyTorch's threads wait for each other in turns of a few microseconds. Waiting by spinning, on
    # a busy machine they use up the time of those they wait for: 0.9 to 1.8 s a step, not 0.15.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    os.environ['ROS_DOMAIN_ID'] = str(_free_domain())
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    logs = tempfile.mkdtemp(prefix='sff_ros_test_log_')
    os.environ['ROS_LOG_DIR'] = logs
    config.add_cleanup(lambda: shutil.rmtree(logs, ignore_errors=True))
    config.add_cleanup(_held[0].close)


@pytest.fixture(scope='session')
def shared_stacks() -> Path:
    """Folder of real focal stacks, which are too large for the repository."""
    named = os.environ.get('SFF_SHARED_DATA')
    folder = Path(named) if named else REPOSITORY.parent / 'shared' / 'data' / 'stacks'
    if not folder.is_dir():
        pytest.skip(f'no real focal stacks: {folder} is no folder, set SFF_SHARED_DATA')
    return folder
