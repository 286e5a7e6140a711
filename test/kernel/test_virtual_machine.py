"""Jobs that fail are reported, and nothing hangs."""

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
        ('echo c >/proc/sysrq-trigger; sleep 100', 240, 'went down before the job ended', 'sysrq'),
        # Before it is up: how long that takes depends on the host.
        ('sleep 100', 2, 'was switched off after 2 s', ''),
        ('echo up >/dev/ttyS0', 240, '', 'up'),
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
    assert outcome.seconds < timeout_s + 30  # a busy host takes a while to end a process


def test_another_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'machine', lambda: 'aarch64')
    with pytest.raises(CannotRunError, match='for x86_64, not aarch64'):
        find_qemu()


def test_the_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_package_lists_are_updated_by_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
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
