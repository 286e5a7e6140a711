"""What differs between the trainable networks: input and loss."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor, nn

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.canonical import POSITIONS, to_canonical
from sff_ros.core.focus.measure import POOLING, FocusVolume, measure_contrast
from sff_ros.core.focus.peak import gather_evidence
from sff_ros.core.image import FloatMap
from sff_ros.network.fast_gru import FastGru, FastGruConfig, Predictions
from sff_ros.network.paper.ddl_gru import DdlGru, DdlGruConfig
from sff_ros.network.paper.input import choose_slices, network_input
from sff_ros.training.drawing.samples import Sample
from sff_ros.training.losses import fast_loss, known_error, paper_loss
from sff_ros.training.recipes import Recipe

# The key 'truth' holds the ground truth, 'known' 1 where the sweep tells it and 0 elsewhere.
Arrays = dict[str, FloatMap]
Batch = dict[str, Tensor]


class Task(Protocol):
    """A network, and the conversion of a sample to its input and loss."""

    def build(self, recipe: Recipe) -> nn.Module:
        """Return the network with initial weights."""
        ...

    def prepare(self, sample: Sample) -> Arrays:
        """Return the network's input of a sample, and 'truth' and 'known', (1, H, W)."""
        ...

    def reverse(self, arrays: Arrays) -> None:
        """Reverse the direction of the sweep, in place."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss, and the mean absolute error where known, positions."""
        ...

    def estimate(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return (B, 1, H, W) positions, and the scale of their error, positions."""
        ...


class FastTask:
    """network/fast_gru.py on canonical sweeps."""

    def build(self, recipe: Recipe) -> nn.Module:
        """Return the network with its first weights."""
        return FastGru(FastGruConfig(iterations=recipe.iterations))

    def prepare(self, sample: Sample) -> Arrays:
        """Return responses (15, 4, h, w), evidence (7, h, w), context (3, H, W) and the maps."""
        context = RunningAllInFocus()
        measured = []
        for image in sample.stack:
            measured.append(measure_contrast(image, POOLING))
            context.add(image, measured[-1])
        height, width = sample.ground_truth.shape
        volume = FocusVolume(np.stack(measured), sample.places, (height, width), POOLING)
        sweep = to_canonical(volume, gather_evidence(volume), context.image)
        return {
            'responses': sweep.responses,
            'evidence': sweep.evidence,
            'context': sweep.context,
            **_maps(sample),
        }

    def reverse(self, arrays: Arrays) -> None:
        """Turn the direction of the sweep, in place."""
        arrays['responses'] = arrays['responses'][::-1]
        arrays['truth'] = POSITIONS - 1 - arrays['truth']
        arrays['evidence'][:2] = POSITIONS - 1 - arrays['evidence'][:2]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return fast_loss, and the mean absolute error of the final map, positions."""
        predictions = self._predict(network, batch)
        truth, known = batch['truth'], batch['known']
        error = known_error(predictions.position.detach(), truth, known)
        return fast_loss(predictions, truth, known), error

    def estimate(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return (B, 1, H, W) positions and their Laplace scale."""
        predictions = self._predict(network, batch)
        return predictions.position, predictions.log_scale.exp()

    def _predict(self, network: nn.Module, batch: Batch) -> Predictions:
        result: Predictions = network(batch['responses'], batch['evidence'], batch['context'])
        return result


class _Supervised(DdlGru):
    """The paper's network with all iterations as output; the weights keep their names."""

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self._iterations = iterations

    def forward(self, volume: Tensor, context: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Return (B, H, W) after each iteration."""
        return self.predictions(volume, context, self._iterations)


class PaperTask:
    """network/paper/ddl_gru.py on images: the paper's own training."""

    def build(self, recipe: Recipe) -> nn.Module:
        """Return the network with its first weights."""
        return _Supervised(recipe.iterations)

    def prepare(self, sample: Sample) -> Arrays:
        """Return stack (15, 3, H, W), grey levels, and the maps."""
        stack = sample.stack[choose_slices(len(sample.stack), POSITIONS)]
        return {
            'stack': stack.transpose(0, 3, 1, 2).astype(np.float32),
            **_maps(sample),
        }

    def reverse(self, arrays: Arrays) -> None:
        """Turn the direction of the sweep, in place."""
        arrays['stack'] = arrays['stack'][::-1]
        arrays['truth'] = POSITIONS - 1 - arrays['truth']

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the paper's loss, and the mean absolute error of the last iteration."""
        predictions = self._predict(network, batch)
        truth, known = batch['truth'], batch['known']
        error = known_error(predictions[-1].detach(), truth, known)
        return paper_loss(predictions, truth, known), error

    def estimate(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return (B, 1, H, W) positions, and their change in the last iteration.

        The change serves as uncertainty, which this network does not output.
        """
        *_, before, last = (0 * batch['truth'], *self._predict(network, batch))
        return last, (last - before).abs()

    def _predict(self, network: nn.Module, batch: Batch) -> list[Tensor]:
        slices = [image[:, 0] for image in batch['stack'].split(1, 1)]
        config = DdlGruConfig()
        volume, context = network_input(slices, config.slices, config.dilations)
        return [prediction[:, None] for prediction in network(volume, context)]


def _maps(sample: Sample) -> Arrays:
    return {
        'truth': sample.ground_truth[None],
        'known': sample.known[None].astype(np.float32),
    }


TASKS: dict[str, type[Task]] = {'fast_gru': FastTask, 'ddl_gru': PaperTask}
