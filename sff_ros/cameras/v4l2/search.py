"""V4L2 cameras: finding, listing and identifying them, and why one cannot be opened."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sff_ros.errors import CameraError, quoted
from sff_ros.files.home import expanded

DEV = Path('/dev')
SYS = Path('/sys/class/video4linux')
PROC = Path('/proc')
_NO_CAMERA = 'no V4L2 camera found: is it plugged in, and passed into the container?'


def find_device(device: str) -> str:
    """Return the path of a device node.

    Args:
        device: a path such as /dev/v4l/by-id/..., or the number of /dev/videoN.

    Raises:
        CameraError: it is empty, or does not exist; lists the available cameras.
        ConfigError: no file can have this name.
    """
    if not device:
        raise CameraError(f'v4l2.device is empty: name a camera; {list_cameras()}')
    path = DEV / f'video{device}' if device.isdecimal() else expanded(device)
    if not path.exists():
        raise CameraError(f'v4l2.device {quoted(str(path))} does not exist; {list_cameras()}')
    return str(path)


def list_cameras() -> str:
    """Return the available cameras, by stable path where there is one, for error messages."""
    links = {link.resolve(): link for link in sorted(DEV.glob('v4l/by-id/*'))}
    found = []
    for entry in sorted(SYS.glob('video*')):
        node = DEV / entry.name
        if _text(entry / 'index') in ('', '0') and node.exists():  # others: its metadata
            path = links.get(node.resolve(), node)
            found.append(f'{path} ({_text(entry / "name") or "no name"})')
    return f'cameras: {", ".join(found)}' if found else _NO_CAMERA


def explain_open(path: str, err: OSError) -> str:
    """Return why a device node cannot be opened, and what to do about it."""
    if err.errno in (errno.EACCES, errno.EPERM):
        return f'no permission for {path}: {_permission_hint(path)}'
    if err.errno == errno.EBUSY:
        return explain_busy(path)
    if err.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f'{path} is not connected ({os.strerror(err.errno)}); {list_cameras()}'
    return f'{path} cannot be opened: {os.strerror(err.errno or 0)}'


def _permission_hint(path: str) -> str:
    import grp

    if os.geteuid() == 0:
        return (
            f'even root is refused: was it passed to the container (docker run --device={path})?'
        )
    try:
        number = Path(path).stat().st_gid
    except OSError:
        return 'its folder cannot be read either'
    try:
        group = grp.getgrgid(number).gr_name
    except KeyError:
        return f'it belongs to group {number}, which has no name; add yourself to it'
    if group == 'root':
        return f'only root may use it; give it to a group: sudo chgrp video {path}'
    return f'add yourself to the group {group}: sudo usermod -aG {group} $USER, then log in again'


def explain_busy(path: str) -> str:
    """Return which programs use a camera, as far as /proc shows."""
    programs = users_of(path)
    who = f'used by {", ".join(programs)}' if programs else 'another program uses it'
    return f'{path} is busy: {who}; close that first'


def users_of(path: str) -> list[str]:
    """Return programs that use a device node as 'name (pid)'; this one if it opened it twice."""
    node = os.path.realpath(path)
    found = []
    for process in sorted(PROC.glob('[0-9]*'), key=lambda entry: int(entry.name)):
        try:
            files = [os.path.realpath(link) for link in (process / 'fd').iterdir()]
        except OSError:  # it has ended, or belongs to another user
            continue
        # This process has it open once to send the request.
        if files.count(node) > (process.name == str(os.getpid())):
            found.append(f'{_text(process / "comm")} ({process.name})')
    return found


def identify(path: str, card: str, bus: str) -> str:
    """Return what identifies a camera: its USB serial number, else its bus address.

    Args:
        path: of its device node.
        card, bus: name and bus address, as reported by the driver.
    """
    entry = (SYS / Path(os.path.realpath(path)).name / 'device').resolve()
    for folder in (entry, *entry.parents):
        serial = _text(folder / 'serial')
        if serial and (folder / 'idVendor').exists():  # a USB device
            return f'{card} {serial}'
    return f'{card} at {bus}'


def _text(file: Path) -> str:
    """Return the text of a small file; empty if it cannot be read."""
    try:
        return file.read_text(errors='replace').strip()
    except OSError:
        return ''
