"""Finding, listing and identifying cameras, and explaining why one cannot be opened."""

from __future__ import annotations

import errno
import grp
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sff_ros.cameras.v4l2 import search as v4l2_search
from sff_ros.cameras.v4l2.search import (
    explain_busy,
    explain_open,
    find_device,
    identify,
    list_cameras,
    users_of,
)
from sff_ros.errors import CameraError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for the file system; it has no camera yet."""
    for name in ('dev', 'sys', 'usb'):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(v4l2_search, 'DEV', tmp_path / 'dev')
    monkeypatch.setattr(v4l2_search, 'SYS', tmp_path / 'sys')
    return tmp_path


def plug(machine: Path, number: int, name: str, index: int = 0, serial: str = '') -> Path:
    """Add a camera; return its node."""
    node = machine / f'dev/video{number}'
    node.touch()
    entry = machine / f'sys/video{number}'
    entry.mkdir()
    (entry / 'name').write_text(f'{name}\n')
    (entry / 'index').write_text(f'{index}\n')
    if serial:
        interface = machine / f'usb/{number}/interface'
        interface.mkdir(parents=True)
        (interface.parent / 'idVendor').write_text('046d\n')
        (interface.parent / 'serial').write_text(f'{serial}\n')
        (entry / 'device').symlink_to(interface)
        links = machine / 'dev/v4l/by-id'
        links.mkdir(parents=True, exist_ok=True)
        (links / f'usb-{serial}-video-index0').symlink_to(node)
    return node


def test_no_camera_at_all(machine: Path) -> None:
    with pytest.raises(CameraError, match=r'v4l2\.device is empty.*no V4L2 camera found'):
        find_device('')


def test_cameras_are_listed_by_their_stable_path(machine: Path) -> None:
    plug(machine, 0, 'Webcam: HD', serial='ABC')
    plug(machine, 1, 'Webcam: HD', index=1)  # its metadata
    plug(machine, 2, 'bridge')
    by_id = machine / 'dev/v4l/by-id/usb-ABC-video-index0'
    expected = f'cameras: {by_id} (Webcam: HD), {machine}/dev/video2 (bridge)'
    assert list_cameras() == expected
    with pytest.raises(CameraError) as caught:
        find_device('3')
    assert str(caught.value) == f"v4l2.device '{machine}/dev/video3' does not exist; {expected}"


def test_a_device_is_found_by_number_and_by_path(machine: Path) -> None:
    node = plug(machine, 4, 'Webcam', serial='ABC')
    assert find_device('4') == str(node)
    by_id = machine / 'dev/v4l/by-id/usb-ABC-video-index0'
    assert find_device(str(by_id)) == str(by_id)


def test_identity_is_the_serial_number_or_the_bus_address(machine: Path) -> None:
    plug(machine, 0, 'Webcam', serial='ABC')
    plug(machine, 1, 'bridge')
    by_id = machine / 'dev/v4l/by-id/usb-ABC-video-index0'
    assert identify(str(by_id), 'Webcam', 'usb-0000:00:14.0-1') == 'Webcam ABC'
    assert identify(f'{machine}/dev/video1', 'bridge', 'platform:x') == 'bridge at platform:x'


def test_permission_names_the_group_that_owns_the_node(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = plug(machine, 0, 'Webcam')
    video = grp.struct_group(('video', 'x', 44, []))
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(grp, 'getgrgid', lambda number: video)
    text = explain_open(str(node), PermissionError(errno.EACCES, 'no'))
    assert text.startswith(f'no permission for {node}: add yourself to the group video: ')
    assert 'sudo usermod -aG video $USER' in text
    root = grp.struct_group(('root', 'x', 0, []))
    monkeypatch.setattr(grp, 'getgrgid', lambda number: root)
    text = explain_open(str(node), PermissionError(errno.EACCES, 'no'))
    assert text == (
        f'no permission for {node}: only root may use it; give it to a group: sudo chgrp video '
        f'{node}'
    )


def test_root_is_asked_for_the_container(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    text = explain_open('/dev/video0', PermissionError(errno.EPERM, 'no'))
    assert text.endswith('was it passed to the container (docker run --device=/dev/video0)?')


@pytest.mark.parametrize(
    ('code', 'expected'),
    [
        (errno.ENODEV, '/dev/video9 is not connected (No such device); no V4L2 camera'),
        (errno.EIO, '/dev/video9 cannot be opened: Input/output error'),
        (errno.EBUSY, '/dev/video9 is busy: another program uses it; close that first'),
    ],
)
def test_why_a_device_cannot_be_opened(machine: Path, code: int, expected: str) -> None:
    assert explain_open('/dev/video9', OSError(code, '')).startswith(expected)


def test_the_program_that_uses_a_device_is_named(machine: Path) -> None:
    node = plug(machine, 0, 'Webcam')
    script = 'import sys; file = open(sys.argv[1]); print("open", flush=True); input()'
    with subprocess.Popen(
        [sys.executable, '-c', script, str(node)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == 'open\n'
        users = users_of(str(node))
        text = explain_busy(str(node))
        other.communicate('\n')
    assert len(users) == 1
    assert users[0].endswith(f' ({other.pid})')
    assert text == f'{node} is busy: used by {users[0]}; close that first'


def test_this_program_counts_when_it_uses_a_device_twice(machine: Path) -> None:
    node = plug(machine, 0, 'Webcam')
    with node.open():
        assert users_of(str(node)) == []
        with node.open():
            (user,) = users_of(str(node))
    assert user.endswith(f' ({os.getpid()})')
