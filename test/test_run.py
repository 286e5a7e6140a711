"""`./run` on machines that lack something; Python, pip and uname are played by scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_machine import FAKE_PYTHON, REPOSITORY, Machine, make_machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


@pytest.mark.parametrize('arguments', [(), ('--help',), ('-h',)])
def test_usage_names_every_verb(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run(*arguments)
    assert result.returncode == 0
    assert [
        verb for verb in ('demo', 'test', 'fuzz', 'sff') if f'./run {verb}' not in result.stdout
    ] == []
    assert machine.calls('') == 0


def test_unknown_verb_is_refused(machine: Machine) -> None:
    result = machine.run('dmeo')
    assert result.returncode == 2
    message = "run: unknown verb 'dmeo'; expected demo, test, fuzz, sff or python\n"
    assert result.stderr.startswith(message)


@pytest.mark.parametrize(
    ('environment', 'expected'),
    [
        (
            {'NO_VENV': '1'},
            'run: Python 3.11 has no venv module: sudo apt install python3.11-venv',
        ),
        ({'SFF_PYTHON': '/no/python'}, 'needs Python 3.10 to 3.13, not found as /no/python'),
    ],
)
def test_missing_python_is_one_line(
    machine: Machine, environment: dict[str, str], expected: str
) -> None:
    result = machine.run('demo', **environment)
    assert result.returncode == 1
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (machine.repository / '.venv').exists()


def test_python_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.put('python3.12', FAKE_PYTHON)
    machine.put('python3', '#!/bin/sh\nexit 127\n')
    machine.put('python3.13', '#!/bin/sh\nexit 1\n')
    result = machine.run('sff', 'x')
    assert result.returncode == 0
    assert (machine.repository / '.venv' / 'base').read_text() == 'python3.12\n'


def test_other_processors_are_told_what_to_do(machine: Machine) -> None:
    machine.put('uname', '#!/bin/sh\necho Linux aarch64\n')
    result = machine.run('demo')
    assert result.returncode == 1
    assert 'Linux x86_64 only, not Linux aarch64: build in a ROS 2 workspace' in result.stderr


def test_failed_install_is_repaired_by_the_next_call(machine: Machine) -> None:
    failed = machine.run('demo', NO_PIP='1')
    assert failed.returncode == 1
    assert failed.stderr.endswith(f'see {machine.repository}/.venv/pip.log\n')
    assert machine.calls('-m sff_ros.cli') == 0
    assert machine.run('demo').returncode == 0
    assert machine.calls('-m venv --clear') == 2


def test_install_is_done_once_and_again_when_requirements_change(machine: Machine) -> None:
    for _ in range(3):
        assert machine.run('sff', 'x').returncode == 0
    assert machine.calls('-m pip install') == 1
    (machine.repository / 'requirements' / 'run.txt').write_text('numpy\n')
    assert machine.run('sff', 'x').returncode == 0
    assert machine.calls('-m venv --clear') == machine.calls('-m pip install') == 2


def test_tests_extend_the_environment_of_the_demo(machine: Machine) -> None:
    # PyTorch is an install of its own.
    for verbs, venvs, installs in [
        ('demo', 1, 1), ('sff depth x', 1, 1), ('sff train', 1, 3), ('test', 1, 5),
        ('sff predict x y', 1, 5), ('sff depth x --model y.safetensors', 1, 5), ('demo', 1, 5),
    ]:  # fmt: skip
        assert machine.run(*verbs.split()).returncode == 0
        assert machine.calls('-m venv --clear') == venvs
        assert machine.calls('-m pip install') == installs


def test_failed_extension_does_not_leave_a_half_changed_environment(machine: Machine) -> None:
    assert machine.run('demo').returncode == 0
    assert machine.run('test', NO_PIP='1').returncode == 1
    assert machine.run('demo').returncode == 0
    assert machine.calls('-m venv --clear') == 2


def test_arguments_reach_the_command_line(machine: Machine) -> None:
    machine.run('demo', '--scene', 'two words')
    machine.run('sff', 'depth', 'x')
    assert machine.calls('-m sff_ros.cli demo --scene two words\n') == 1
    assert machine.calls('-m sff_ros.cli depth x\n') == 1


def test_sourced_ros_stays_outside(machine: Machine) -> None:
    result = machine.run(
        'sff',
        'x',
        PYTHONPATH='/opt/ros/jazzy/lib/python3.12/site-packages',
        AMENT_PREFIX_PATH='/home/me/ws/install/a:/opt/ros/jazzy',
        LD_LIBRARY_PATH='/home/me/ws/install/a/lib:/opt/ros/jazzy/lib:/home/me/lib:/opt/cuda',
    )
    assert result.stdout.splitlines()[1] == 'python= ament= lib=/home/me/lib:/opt/cuda'


@pytest.mark.parametrize('arguments', [(), ('--minutes',), ('--minutes', '0'), ('60',)])
def test_fuzz_needs_minutes(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run('fuzz', *arguments)
    assert result.returncode == 1
    assert result.stderr.endswith('run: fuzz needs --minutes N\n')
    assert machine.calls('-m pytest') == 0


def test_fuzz_ends_with_the_first_round_that_fails(machine: Machine) -> None:
    failing = FAKE_PYTHON.replace(
        'esac', "    *'-m pytest'*) exit $((SFF_FUZZ_SEED > 2)) ;;\nesac"
    )
    machine.put('python3', failing)
    result = machine.run('fuzz', '--minutes', '9')
    assert result.returncode == 1
    assert result.stderr.endswith('run: failed with SFF_FUZZ_SEED=3\n')
    assert machine.calls('-m pytest -q test/hard -k fuzz\n') == 3


@pytest.mark.parametrize(
    ('environment', 'expected'),
    [
        ({}, 'profile={repository}/config/fastdds_localhost.xml range=LOCALHOST'),
        (
            {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'},
            'profile={repository}/config/fastdds_localhost.xml range=OFF',
        ),
        (
            {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'},
            'profile={repository}/config/fastdds.xml range=SUBNET',
        ),
        (
            {'ROS_STATIC_PEERS': '192.0.2.7'},
            'profile={repository}/config/fastdds.xml range=LOCALHOST',
        ),
        ({'SFF_SHM': '0'}, 'profile= range=LOCALHOST'),
        ({'FASTDDS_DEFAULT_PROFILES_FILE': '/mine.xml'}, 'profile=/mine.xml range=LOCALHOST'),
        (
            {'SFF_SHM': '0', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'},
            'profile= range=SUBNET',
        ),
    ],
)
def test_middleware_settings(machine: Machine, environment: dict[str, str], expected: str) -> None:
    result = machine.run('sff', 'x', **environment)
    assert result.stdout.splitlines()[0] == expected.format(repository=machine.repository)


def test_failing_step_fails_the_tests_and_is_named(machine: Machine) -> None:
    machine.put('python3', FAKE_PYTHON.replace('esac', "    *'-m mypy'*) exit 1 ;;\nesac"))
    result = machine.run('test', '-k', 'word')
    assert result.returncode == 1
    assert result.stderr.endswith('run: failed: mypy\n')
    assert machine.calls('-m pytest -m not slow -k word\n') == 1


@pytest.mark.parametrize(
    ('script', 'installs'),
    [
        ('"""Benchmark.\n\nNeeds PyTorch, which is large.\n"""\n', 2),
        ('"""Benchmark.\n"""\n# Needs PyTorch no more.\n', 1),
    ],
)
def test_a_script_that_needs_pytorch_finds_it(
    machine: Machine, script: str, installs: int
) -> None:
    file = machine.repository / 'my benchmark.py'
    file.write_text(script)
    assert machine.run('python', '-X', 'dev', str(file), '--threads', '2').returncode == 0
    assert machine.calls('-m pip install') == installs  # PyTorch is an install of its own
    assert machine.calls(f'-X dev {file} --threads 2\n') == 1
    assert machine.run('python', '-c', 'pass').returncode == 0
    assert machine.calls('-m pip install') == installs


def test_benchmarks_say_that_they_need_pytorch() -> None:
    needs, says = (
        {
            file.name
            for file in (REPOSITORY / 'benchmarks').iterdir()
            if file.suffix == '.py' and re.search(pattern, file.read_text())
        }
        for pattern in (
            r'(?m)^\s*(import torch|from (torch|sff_ros\.network))\b',
            r'\nNeeds PyTorch',
        )
    )
    assert needs == says >= {'network.py', 'method_figures.py'}


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        ((), '-m pytest -m not slow\n'),
        (('--all',), '-m pytest\n'),
        (('--all', '-k', 'two words'), '-m pytest -k two words\n'),
        # Of two the last counts.
        (('-m', 'slow', 'test/cli'), '-m pytest -m not slow -m slow test/cli\n'),
    ],
)
def test_slow_tests_run_where_all_are_asked_for(
    machine: Machine, arguments: tuple[str, ...], expected: str
) -> None:
    assert machine.run('test', *arguments).returncode == 0
    assert machine.calls(expected) == 1
    assert machine.calls('-m pytest') == 1


def test_continuous_integration_runs_all(machine: Machine) -> None:
    (machine.repository / '.ci').mkdir()
    shutil.copy(REPOSITORY / '.ci' / 'run', machine.repository / '.ci')
    assert machine.run('-x', program='.ci/run').returncode == 0
    assert machine.calls('-m pytest -x\n') == 1


def test_shell_scripts_are_clean() -> None:
    if shutil.which('shellcheck') is None:
        pytest.skip('shellcheck is not installed')
    files = [str(REPOSITORY / 'run'), str(REPOSITORY / '.ci' / 'run')]
    result = subprocess.run(['shellcheck', *files], capture_output=True, text=True, check=False)
    assert result.stdout == ''
