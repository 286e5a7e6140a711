"""Check that a recorded stack has the data that --align needs."""

from __future__ import annotations

from sff_ros.core.alignment.aligner import Alignment, as_alignment
from sff_ros.errors import ConfigError
from sff_ros.files.stack import RecordedStack


def checked_alignment(name: str, stack: RecordedStack) -> Alignment:
    """Return how to align a stack.

    Raises:
        ConfigError: there is no such alignment, or the stack lacks what it needs.
    """
    how = as_alignment(name)
    if how == 'breathing' and all(lens.warp is None for lens in stack.lens):
        raise ConfigError(
            '--align breathing: the breathing of the images is unknown; give scales in '
            'stack.yaml, or use auto'
        )
    return how
