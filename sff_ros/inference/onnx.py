"""The network in ONNX Runtime: on the processor, or on a GPU where that runtime has CUDA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from sff_ros.core.focus.canonical import EVIDENCE_CHANNELS
from sff_ros.core.focus.measure import DILATIONS
from sff_ros.core.image import FloatMap
from sff_ros.core.model_card import NETWORK, ModelCard
from sff_ros.errors import ModelError
from sff_ros.inference.network_backend import CanonicalNetwork, spec_of
from sff_ros.inference.onnx_file import read_graph

CPU, CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
QUIET = 4  # fatal only: what fails is told in one line here
SIBLINGS = '/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list'


def open_onnx(model: Path) -> CanonicalNetwork:
    """Load the network on the best device that works.

    Raises:
        ModelError: the file cannot be read, is cut off, or is no model of ours.
    """
    if CUDA in onnxruntime.get_available_providers():
        try:
            return _open(model, CUDA)
        except ModelError:
            pass  # a runtime built for CUDA on a machine without; a bad file fails below again
    return _open(model, CPU)


class OnnxRunner:
    """Holds a session; takes any size that is a multiple of the model's."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(
        self, responses: FloatMap, evidence: FloatMap, context: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Return position and confidence, (H, W) each."""
        feed = {
            'responses': responses[None],
            'evidence': evidence[None],
            'context': context[None],
        }
        try:
            position, confidence = self._session.run(['position', 'confidence'], feed)
        except Exception as err:  # the runtime has no common base of its own
            raise ModelError(f'ONNX Runtime cannot run the network: {_line(err)}') from err
        return position[0, 0], confidence[0, 0]


def _open(model: Path, provider: str) -> CanonicalNetwork:
    """Load and try the network on one device."""
    graph = read_graph(model, NETWORK)
    try:
        runner = OnnxRunner(_session(graph.content, provider))
        _try(runner, graph.card)
    except ModelError as err:
        raise ModelError(f'{model}: {err}') from err
    name = 'onnx (CUDA)' if provider == CUDA else 'onnx'
    return CanonicalNetwork(spec_of(name, graph.card), runner)


def _session(content: bytes, provider: str) -> Any:
    """Read a graph into a session.

    Raises:
        ModelError: the runtime does not take it, or not there; the file is not named.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = physical_cores()
    # A plan of the memory for each size holds 130 MB more at 640x480 and saves no time.
    options.enable_mem_pattern = False
    # Threads that spin while they wait take the cores that capture and publishing need.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as err:  # the runtime has no common base of its own
        raise ModelError(f'ONNX Runtime cannot load the network: {_line(err)}') from err
    if provider not in session.get_providers():
        raise ModelError(f'{provider} does not work here')
    return session


def _try(runner: OnnxRunner, card: ModelCard) -> None:
    """Run the network once on its smallest picture: what cannot run is known at the start."""
    side, pooled = card.size_multiple, card.size_multiple // card.pooling
    shapes = (
        (card.positions, len(DILATIONS), pooled, pooled),
        (EVIDENCE_CHANNELS, pooled, pooled),
        (3, side, side),
    )
    runner.run(*(np.zeros(shape, np.float32) for shape in shapes))


def physical_cores() -> int:
    """Count the cores that this process may use; two threads of one core count once."""
    cores = set()
    for cpu in os.sched_getaffinity(0):
        try:
            cores.add(Path(SIBLINGS.format(cpu)).read_text())
        except OSError:  # a container that hides them
            cores.add(str(cpu))
    return len(cores)


def _line(err: Exception) -> str:
    return ' '.join(str(err).split())
