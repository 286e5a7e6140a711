"""Load and save a camera's intrinsics by camera_info URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError, quoted
from sff_ros.files.camera_info import read_camera_info, write_camera_info
from sff_ros.files.home import expanded


def path_of(url: str) -> Path:
    """Return the file of a file:// or package:// URL.

    Raises:
        CalibrationError: another kind of URL, or a package that is not installed.
        ConfigError: no file can have this name.
    """
    try:
        parts = urlparse(url)
    except ValueError as err:
        raise CalibrationError(f'camera_info_url {quoted(url)}: {err}') from err
    path = unquote(parts.path)
    if parts.scheme == 'file':
        return expanded(path)
    if parts.scheme == 'package':
        # Only installed with ROS, and only needed there.
        from ament_index_python.packages import get_package_share_directory

        try:
            share = Path(get_package_share_directory(parts.netloc))
        except (LookupError, OSError, ValueError) as err:  # not installed, no index, bad name
            raise CalibrationError(
                f'camera_info_url {quoted(url)}: package {quoted(parts.netloc)} is not installed'
            ) from err
        return expanded(share / path.lstrip('/'))
    raise CalibrationError(
        f'camera_info_url {quoted(url)} must start with file:// or package://PACKAGE/'
    )


def load_intrinsics(url: str, size: tuple[int, int]) -> Intrinsics:
    """Read the intrinsics of a camera whose images are `size` = (width, height).

    A missing file in an existing folder means not calibrated: the first calibration will be
    saved there.

    Raises:
        CalibrationError: no such folder, or the file is malformed or for another size.
    """
    path = path_of(url)
    if not path.exists() and path.parent.is_dir():
        return Intrinsics(*size)
    intrinsics = read_camera_info(path)
    check_size(intrinsics, size, url)
    return intrinsics


def save_intrinsics(url: str, intrinsics: Intrinsics, camera_name: str) -> None:
    """Write intrinsics where `load_intrinsics` finds them.

    Raises:
        CalibrationError: the file of the URL cannot be written.
    """
    try:
        write_camera_info(path_of(url), intrinsics, camera_name)
    except OSError as err:
        raise CalibrationError(f'camera_info_url {quoted(url)} cannot be written: {err}') from err


def check_size(intrinsics: Intrinsics, size: tuple[int, int], source: str) -> None:
    """Reject intrinsics for another image size.

    Raises:
        CalibrationError: names both sizes.
    """
    if (intrinsics.width, intrinsics.height) != size:
        raise CalibrationError(
            f'{source} is for {intrinsics.width}x{intrinsics.height}, the camera gives '
            f'{size[0]}x{size[1]}'
        )
