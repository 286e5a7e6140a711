"""The network in ONNX Runtime: on the CPU, or on a GPU if the runtime was built with CUDA."""

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
from sff_ros.errors import ModelError, shortened
from sff_ros.inference.network_backend import OUTPUTS, CanonicalNetwork, check_outputs, spec_of
from sff_ros.inference.onnx_file import Graph, read_graph

QUIET = 4  # only what is fatal: errors are raised in one line
CPU, CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
SIBLINGS = '/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list'


def open_onnx(model: Path) -> CanonicalNetwork:
    """Load the network on the best device that works.

    Raises:
        ModelError: the file cannot be read, is damaged, or is not a model of this package.
    """
    graph = read_graph(model, NETWORK)
    if CUDA in onnxruntime.get_available_providers():
        try:
            return _open(graph, model, CUDA)
        except ModelError:
            pass  # no GPU on this machine; a bad graph fails again below
    return _open(graph, model, CPU)


class OnnxRunner:
    """Runs a session; sizes must be multiples of the model's size_multiple."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(
        self, responses: FloatMap, evidence: FloatMap, context: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Return canonical position and scale, (H, W) each."""
        feed = {
            'responses': responses[None],
            'evidence': evidence[None],
            'context': context[None],
        }
        try:
            position, scale = self._session.run(list(OUTPUTS), feed)
        except Exception as err:  # the runtime has no common base class of errors
            raise ModelError(
                f'ONNX Runtime cannot run the network: {shortened(str(err))}'
            ) from err
        return position[0, 0], scale[0, 0]


def _open(graph: Graph, model: Path, provider: str) -> CanonicalNetwork:
    """Load the network on one device and try it."""
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
        ModelError: the runtime rejects it, or the provider does not work; no file is named.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = physical_cores()
    # Memory plans for each size take 130 MB more at 640x480 and save no time.
    options.enable_mem_pattern = False
    # Spinning threads would occupy the cores that capture and publishing need.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as err:  # the runtime has no common base class of errors
        raise ModelError(f'ONNX Runtime cannot load the network: {shortened(str(err))}') from err
    if provider not in session.get_providers():
        raise ModelError(f'{provider} does not work here')
    check_outputs([output.name for output in session.get_outputs()])
    return session


def _try(runner: OnnxRunner, card: ModelCard) -> None:
    """Run the network once on its smallest image, to fail at the start and not in a sweep."""
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
        except OSError:  # hidden, as in some containers
            cores.add(str(cpu))
    return len(cores)
