"""The tests as a background job, whose shell makes it ignore signals."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import HANG_S

REPOSITORY = Path(__file__).resolve().parents[1]
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_programs_start_with_signals_at_their_defaults() -> None:
    status = subprocess.run(
        ['cat', '/proc/self/status'], capture_output=True, text=True, timeout=HANG_S, check=True
    ).stdout
    ignored = int(status.partition('SigIgn:')[2].split()[0], 16)
    assert [number for number in NUMBERS if ignored >> (number - 1) & 1] == []


def test_control_c_reaches_the_tests() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    'tests',
    [
        'test_background.py::test_programs_start_with_signals_at_their_defaults',
        'test_background.py::test_control_c_reaches_the_tests',
    ],
)
def test_a_background_job_passes_too(tests: str) -> None:
    ignored = ' '.join(str(int(number)) for number in NUMBERS)
    command = f"trap '' {ignored}; exec {sys.executable} -m pytest -q -p no:cacheprovider $0"
    done = subprocess.run(
        ['sh', '-c', command, f'test/{tests}'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
