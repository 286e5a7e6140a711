"""Read and write whole files: the only place that opens any, but for devices and locks."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from sff_ros.files.unfinished import drop_leftovers, new_file

_IRREGULAR = 'is not a regular file'


def read_file(path: Path, limit: int) -> bytes:
    """Read a file; what has no end or would fill the memory is refused before it is opened.

    Args:
        path: of a regular file.
        limit: bytes that it may have.

    Raises:
        OSError: it cannot be read, is a folder, device or pipe, is larger, or the memory is full.
    """
    check_file(path, limit)
    try:
        return path.read_bytes()
    except MemoryError as err:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(path)) from err


def check_file(path: Path, limit: int) -> None:
    """Check what `read_file` does, for a library that opens the file itself.

    Raises:
        OSError: it does not exist, is a folder, device or pipe, or is larger.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, _IRREGULAR, str(path))
    if found.st_size > limit:
        reason = f'has {found.st_size / 1e6:.1f} MB; allowed: {limit / 1e6:g} MB'
        raise OSError(errno.EFBIG, reason, str(path))


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file; at any time, also on a full disk, it holds the old content or the new one.

    The content is written beside it under a hidden name, forced to the disk and renamed. A new
    file gets the permissions of the umask; an existing one keeps its own, and its owner where the
    process may set it. Symbolic links are followed.

    Args:
        path: of the file, in an existing folder.
        content: bytes, or text to be encoded in UTF-8.

    Raises:
        OSError: it cannot be written, is write-protected or not a regular file; nothing changed.
    """
    target = Path(os.path.realpath(path))
    try:
        old = _replaceable(target)
        drop_leftovers(target.parent)
        part, descriptor = new_file(target.parent)
        try:
            with open(descriptor, 'wb') as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                if old is not None:
                    _take_over(descriptor, old)
                os.fsync(descriptor)
                os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as err:  # which may name the hidden file
        is_mounted = err.errno == errno.EBUSY
        reason = 'is a mount point: mount its folder instead' if is_mounted else err.strerror
        raise OSError(err.errno, reason, str(path)) from err
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power failure, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replaceable(target: Path) -> os.stat_result | None:
    """Return the state of an existing file; None where there is none.

    Raises:
        OSError: a rename would replace what must not be, such as a device.
    """
    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, _IRREGULAR)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return old


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Give a new file owner and permissions of an old one, as far as user and file system may."""
    with contextlib.suppress(OSError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
