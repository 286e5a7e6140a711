"""Names the images of a stack that were left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sff_ros.core.sweep.blank import BlankSlice
from sff_ros.files.stack import RecordedStack


def report_blank(stack: RecordedStack, blank: Sequence[BlankSlice]) -> None:
    """Print the images that are black, white or uniform on stderr; nothing if none is."""
    if not blank:
        return
    names = ', '.join(f'{stack.names[b.index]} is {b.colour}' for b in blank)
    paths = stack.paths
    print(
        f'{paths[0].parent}: {len(blank)} of {len(paths)} images left out: {names}',
        file=sys.stderr,
    )
