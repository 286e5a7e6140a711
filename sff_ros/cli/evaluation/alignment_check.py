"""Whether a recorded stack knows what the --align of a verb asks for."""

from __future__ import annotations

from sff_ros.core.alignment.aligner import Alignment, as_alignment
from sff_ros.errors import ConfigError
from sff_ros.files.stack import RecordedStack


def checked_alignment(name: str, stack: RecordedStack) -> Alignment:
    """Return how to align a stack.

    Raises:
        ConfigError: there is no such alignment, or the stack does not know what it needs.
    """
    how = as_alignment(name)
    if how == 'breathing' and stack.warps is None:
        raise ConfigError(
            '--align breathing: nothing says how the pictures breathe; give scales in stack.yaml, '
            'or take auto'
        )
    return how
