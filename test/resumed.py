"""A training that is stopped and goes on, against one that was never interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sff_ros.training.train import Trainer

torch = pytest.importorskip('torch', reason='torch is not installed')


def stopped_and_resumed(make: Callable[[str], Trainer], steps: int) -> Trainer:
    """Return a training that was stopped after some steps, and finished by another trainer."""
    part = make('parts')
    update = part._update

    def interrupted(model: Any, batch: Any) -> tuple[float, float]:
        part._stopping = part.step == steps - 1
        loss, error = update(model, batch)
        return loss, error

    part._update = interrupted  # type: ignore[method-assign]
    assert not part.train()
    assert part.step == steps
    rest = make('parts')
    assert rest.step == steps
    assert rest.train()
    return rest


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    """Compare the averaged weights of two trainings."""
    for (name, a), b in zip(
        one.average.state_dict().items(), other.average.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, msg=name)
