"""The network in PyTorch, for machines without ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import torch

from sff_ros.core.image import FloatMap
from sff_ros.core.model_card import NETWORK, read_card
from sff_ros.errors import ModelError
from sff_ros.inference.network_backend import CanonicalNetwork, spec_of
from sff_ros.network.checkpoint import assign_weights, digest_of, read_safetensors
from sff_ros.network.fast_gru import FastGru


def open_torch(model: Path) -> CanonicalNetwork:
    """Load the network on the GPU if there is one, else on the CPU.

    Raises:
        ModelError: the file cannot be read, is damaged, or is not a model of this package.
    """
    state, metadata = read_safetensors(model)
    try:
        card = read_card(metadata, NETWORK)
    except ModelError as err:
        raise ModelError(f'{model}: {err}') from err
    network = FastGru()
    assign_weights(network, state, model)
    if digest_of(state) != card.sha256:
        raise ModelError(f'{model}: is damaged: its weights do not have the digest of its card')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    name = 'torch (CUDA)' if device == 'cuda' else 'torch'
    return CanonicalNetwork(spec_of(name, card), TorchRunner(network, device))


class TorchRunner:
    """Runs the network in fp32."""

    def __init__(self, network: FastGru, device: str) -> None:
        self._device = device
        self._network = network.eval().to(device)

    def run(
        self, responses: FloatMap, evidence: FloatMap, context: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Return canonical position and scale, (H, W) each."""
        inputs = (
            torch.from_numpy(maps)[None].to(self._device)
            for maps in (responses, evidence, context)
        )
        try:
            with torch.inference_mode():
                predictions = self._network(*inputs)
                maps = predictions.position, predictions.log_scale.exp()
                position, scale = (values[0, 0].cpu().numpy() for values in maps)
        except RuntimeError as err:  # also if out of memory
            reason = ' '.join(str(err).split())
            raise ModelError(f'PyTorch cannot run the network: {reason}') from err
        return position, scale
