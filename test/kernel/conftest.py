from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from vivid import Vivid


@pytest.fixture
def vivid() -> Iterator[Vivid]:
    with contextlib.closing(Vivid()) as side:
        yield side
