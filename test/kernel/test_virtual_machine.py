"""Jobs that do not end well: they are reported, and nothing hangs."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest
import virtual_machine
from virtual_machine import CannotRunError, find_kernel, find_qemu, run_job


@pytest.mark.slow
@pytest.mark.parametrize(
    ('script', 'timeout_s', 'problem', 'printed'),
    [
        ('echo c >/proc/sysrq-trigger; sleep 100', 60, 'went down before the job ended', 'sysrq'),
        ('echo up >/dev/ttyS0; sleep 100', 12, 'was switched off after 12 s', 'up'),
        ('echo up >/dev/ttyS0', 60, '', 'up'),
    ],
)
def test_how_a_job_ends(
    script: str, timeout_s: float, problem: str, printed: str, tmp_path: Path
) -> None:
    try:
        qemu, kernel = find_qemu(), find_kernel()
    except CannotRunError as err:
        pytest.skip(f'no kernel to test with: {err}')
    outcome = run_job(qemu, kernel, script, tmp_path, timeout_s)
    assert problem in outcome.problem
    assert bool(problem) == bool(outcome.problem)
    assert printed in outcome.console
    assert outcome.seconds < timeout_s + 5


def test_another_processor_is_none_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'machine', lambda: 'aarch64')
    with pytest.raises(CannotRunError, match='for x86_64, not aarch64'):
        find_qemu()


def test_a_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(shutil, 'which', lambda program: None)
    with pytest.raises(CannotRunError, match='sudo apt install qemu-system-x86'):
        find_qemu()


def test_without_apt_there_is_no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(shutil, 'which', lambda program: None)
    with pytest.raises(CannotRunError, match='no apt-get'):
        find_kernel()
    assert list((tmp_path / 'sff_ros').iterdir()) == []


def test_an_empty_apt_is_filled_by_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def call(*command: str, **_: object) -> str:
        called.append(' '.join(command))
        return ''

    monkeypatch.setattr(virtual_machine, '_call', call)
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(CannotRunError, match='apt knows no linux-image-amd64'):
        virtual_machine.current_kernel()
    assert called == ['apt-cache depends linux-image-amd64']
    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    with pytest.raises(CannotRunError):
        virtual_machine.current_kernel()
    assert called[1:] == [called[0], 'apt-get update', called[0]]
