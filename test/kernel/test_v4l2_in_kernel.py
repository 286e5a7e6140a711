"""The V4L2 driver against a driver of a real kernel, in a virtual machine."""

from __future__ import annotations

import ast
import os
import shlex
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from virtual_machine import CannotRunError, Outcome, find_kernel, find_qemu, run_job

REPOSITORY = Path(__file__).resolve().parents[2]
GUESTS = sorted(Path(__file__).parent.glob('guest_*.py'))
TIMEOUT_S = 240
PYTHONPATH = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get('PYTHONPATH'))))
ENVIRONMENT = {
    **{'PATH': '/usr/bin:/bin', 'HOME': '/dev/shm', 'TMPDIR': '/dev/shm'},
    **{'PYTHONPATH': PYTHONPATH, 'PYTHONDONTWRITEBYTECODE': '1'},
    # Where a sourced ROS has its packages.
    **{name: os.environ.get(name, '') for name in ('AMENT_PREFIX_PATH', 'LD_LIBRARY_PATH')},
}
SCRIPT = f"""
exec >/dev/ttyS0 2>&1
cd {shlex.quote(str(REPOSITORY))}
export {shlex.join(f'{name}={value}' for name, value in ENVIRONMENT.items())}
{shlex.quote(sys.executable)} -m pytest -p no:cacheprovider -rN --tb=short --color=no \\
    -o junit_family=xunit1 --junitxml=/dev/shm/report.xml \\
    {shlex.join(str(file.relative_to(REPOSITORY)) for file in GUESTS)}
cp /dev/shm/report.xml /dev/shm/job/
"""


def guest_tests() -> list[str]:
    """Return the names of the guest's test functions, which this machine cannot import."""
    return [
        function.name
        for file in GUESTS
        for function in ast.parse(file.read_text()).body
        if isinstance(function, ast.FunctionDef) and function.name.startswith('test_')
    ]


@pytest.fixture(scope='module')
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, dict[str, list[str]]]:
    """Run the guest once; return how it went, and {test: the failure of each of its cases}."""
    folder = tmp_path_factory.mktemp('job')
    try:
        qemu, kernel = find_qemu(), find_kernel()
    except CannotRunError as err:
        pytest.skip(f'no kernel to test with: {err}')
    report = folder / 'report.xml'
    ended = run_job(qemu, kernel, SCRIPT, folder, TIMEOUT_S)
    if ended.problem and not report.is_file():
        # An emulated machine may crash on a busy host; tests that fail write a report.
        ended = run_job(qemu, kernel, SCRIPT, folder, TIMEOUT_S)
    cases: dict[str, list[str]] = {}
    for case in ET.parse(report).iter('testcase') if report.is_file() else ():
        troubles = [element for element in case if element.tag in ('failure', 'error', 'skipped')]
        text = ''.join(f'{case.get("name")}\n{element.text}' for element in troubles)
        cases.setdefault(str(case.get('name')).partition('[')[0], []).append(text)
    return ended, cases


@pytest.mark.slow
@pytest.mark.parametrize('name', guest_tests())
def test_in_the_kernel(outcome: tuple[Outcome, dict[str, list[str]]], name: str) -> None:
    ended, cases = outcome
    console = f'console of the machine ({ended.seconds:.0f} s):\n{ended.console[-8000:]}'
    assert not ended.problem, f'{ended.problem}\n{console}'
    assert name in cases, console
    troubles = [text for text in cases[name] if text]
    assert not troubles, '\n'.join(troubles)
