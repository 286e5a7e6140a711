"""Paths that users write, in which ~ is a home directory."""

from __future__ import annotations

import os
from pathlib import Path

from sff_ros.errors import ConfigError, quoted

# Of Linux, bytes; beyond them some checks of a path raise instead of saying no.
MAX_NAME, MAX_PATH = 255, 4096


def expanded(path: str | Path) -> Path:
    """Return a path with ~ or ~user at its start replaced by that home directory.

    Raises:
        ConfigError: there is no such user or home directory, or no file can have this name.
    """
    text = os.fspath(path)
    try:
        raw = os.fsencode(text)
        if b'\0' in raw:
            raise ConfigError(f'path {quoted(text)} has a null character')
        if len(raw) >= MAX_PATH or max(map(len, raw.split(b'/'))) > MAX_NAME:
            raise ConfigError(f'path {quoted(text)} is too long: names may have {MAX_NAME} bytes')
        return Path(text).expanduser()
    except RuntimeError as err:
        start = Path(text).parts[0]
        why = 'HOME is not set' if start == '~' else 'there is no such user'
        raise ConfigError(f'path {quoted(text)}: {start} is no home directory: {why}') from err
    except UnicodeEncodeError as err:
        raise ConfigError(f'path {quoted(text)} is no text that a file name can have') from err
