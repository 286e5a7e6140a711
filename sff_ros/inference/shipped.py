"""Find the models that come with the package."""

from __future__ import annotations

from pathlib import Path

from sff_ros.errors import ModelError

PACKAGE = 'sff_ros'
HERE = Path(__file__).resolve().parents[1]


def shipped_model(name: str) -> Path:
    """Return the file of that name in models/.

    The folder beside this package is searched first, so that a source checkout never runs the
    weights of another installation.

    Raises:
        ModelError: it is not found; names the folders that were searched.
    """
    folders = list(dict.fromkeys([*models_near(HERE), *_indexed()]))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = ' or '.join(map(str, folders)) or f'any share/{PACKAGE}/models'
    raise ModelError(f'{name} is not in {looked}; `sff export` makes it')


def models_near(package: Path) -> list[Path]:
    """Return models/ of the checkout, or of the install prefix, that holds a package folder."""
    checkout = package.parent
    if (checkout / 'setup.py').is_file():
        return [checkout / 'models']
    # <prefix>/lib/python3.x/site-packages/sff_ros, or local/lib/... of Debian: the nearest.
    shares = (folder / 'share' / PACKAGE / 'models' for folder in package.parents)
    return [share for share in shares if share.is_dir()][:1]


def _indexed() -> list[Path]:
    """Return models/ of the package in the sourced ROS workspace."""
    try:
        from ament_index_python.packages import get_package_share_directory

        return [Path(get_package_share_directory(PACKAGE)) / 'models']
    except (ImportError, LookupError, OSError):  # no ROS, not sourced, or without this package
        return []
