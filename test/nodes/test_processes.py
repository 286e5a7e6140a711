"""The nodes as programs: exit codes, signals, and a graph that heals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_graph import watched
from programs import HANG_S, wait

from sff_ros.nodes.observer import Seen

SMALL = ('-p', 'simulated.width:=160', '-p', 'simulated.height:=120')
Program = Callable[..., 'subprocess.Popen[str]']


@pytest.fixture
def program() -> Iterator[Program]:
    """Start node programs; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, '-m', f'sff_ros.nodes.{name}', '--ros-args', *arguments]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Watch the graph from another thread, as a user's program would."""
    with watched() as seen:
        yield seen


@pytest.mark.parametrize(
    'number', [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_signals_end_the_nodes_well_also_twice(
    number: signal.Signals, program: Program, seen: Seen
) -> None:
    process = program('all_in_one', '--log-level', 'warn')
    wait(lambda: seen.results, 'depth')
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 0
    assert 'Traceback' not in said
    assert not said


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f'/proc/{pid}/status').read_text()
    return bool(int(status.partition('SigCgt:')[2].split()[0], 16) >> (number - 1) & 1)


def test_a_signal_during_the_start_ends_the_node_well(program: Program) -> None:
    process = program('capture_node', '--log-level', 'warn')
    wait(lambda: catches(process.pid, signal.SIGINT), 'Python to be up')
    time.sleep(0.3)  # somewhere on its way
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=HANG_S)
    # Before Python has come to our code it ends by its own handler.
    assert process.returncode in (0, -signal.SIGINT, 1)
    assert process.returncode == 0 or 'KeyboardInterrupt' in said


@pytest.mark.parametrize(
    ('node', 'arguments', 'message'),
    [
        ('capture_node', ('camra:=x',), "unknown parameter 'camra'; did you mean camera?"),
        ('inference_node', ('backend:=magic',), "backend is 'magic'; allowed: one of auto"),
        ('depth_node', ('min_confidence:=1.5',), 'min_confidence is 1.5; allowed: 0 .. 1'),
        ('depth_node', ('min_confidence:=1',), 'min_confidence must be a float such as 1.0'),
        ('capture_node', ('sweep.near_m:=0.1',), '10.000 dpt'),
        ('capture_node', ('simulated.width:=[]',), 'simulated.width must be int, not ()'),
        ('capture_node', ('use_sim_time:=[]',), "'use_sim_time' is not initialized"),
        ('depth_node', ('qos_overrides./depth/points.publisher.depth:=x',), 'qos_overrides of'),
        ('capture_node', ('camera:=folder',), 'folder.path is empty'),
        ('capture_node', ('camera:=folder', 'folder.path:=/nowhere'), '/nowhere: is not a folder'),
    ],
)
def test_bad_parameters_end_a_node_with_one_line(
    node: str, arguments: tuple[str, ...], message: str, program: Program
) -> None:
    given = [word for argument in arguments for word in ('-p', argument)]
    process = program(node, *given)
    _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    lines = [line for line in said.splitlines() if '[INFO]' not in line]
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize(
    'victim',
    [
        'capture_node',
        pytest.param('inference_node', marks=pytest.mark.slow),
        pytest.param('depth_node', marks=pytest.mark.slow),
    ],
)
def test_a_node_that_is_killed_and_started_again_is_taken_back(
    victim: str, program: Program, seen: Seen
) -> None:
    quiet = ('--log-level', 'error')
    arguments = {'capture_node': (*SMALL, *quiet), 'inference_node': quiet, 'depth_node': quiet}
    nodes = {name: program(name, *arguments[name]) for name in arguments}
    wait(lambda: len(seen.results) >= 2, 'depth of two sweeps')
    nodes[victim].kill()
    nodes[victim].wait()
    time.sleep(0.5)
    before = len(seen.results)
    program(victim, *arguments[victim])
    wait(lambda: len(seen.results) >= before + 3, 'depth of three more')
    assert seen.errors[-1][1] < 0.1
    for name, process in nodes.items():
        assert (name == victim) == (process.poll() is not None)
