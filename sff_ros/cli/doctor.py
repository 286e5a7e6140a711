"""`sff doctor`: what is installed, what works, how accurate and how fast it is."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from sff_ros import __version__
from sff_ros.cli.engine import show_progress
from sff_ros.cli.evaluation.backend_check import RUNS, Trial, try_backend
from sff_ros.cli.evaluation.reference_stack import HEIGHT, SLICES, WIDTH, KnownStack, known_stack
from sff_ros.core.model_card import MEASURE, NETWORK
from sff_ros.errors import ModelError, SffError
from sff_ros.files.whole_file import read_file
from sff_ros.inference.choice import BACKENDS
from sff_ros.inference.onnx_file import MAX_BYTES, read_graph
from sff_ros.inference.shipped import shipped_model
from sff_ros.inference.tensorrt.build import load_library
from sff_ros.inference.tensorrt.engine_cache import EngineCache
from sff_ros.inference.tensorrt.program import find_gpu, load_cudart
from sff_ros.middleware import shared_memory

HELP = 'Check this installation: what is there, what works, how accurate and how fast it is.'
EPILOG = """\
Every backend that loads runs on a built-in stack of known depth and is compared with the network
in ONNX Runtime. Exit code 1: something that is installed does not work. What is not installed,
or needs a missing GPU, is listed and no fault.
"""
# File -> the graph that it holds; empty: weights alone.
SHIPPED = {
    'fast_gru.onnx': NETWORK,
    'fast_gru_fp16.onnx': NETWORK,
    'ddl.onnx': MEASURE,
    'fast_gru.safetensors': '',
}
REFERENCE = 'onnx'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments: `sff doctor` has none."""


def run(args: argparse.Namespace) -> int:
    """Run `sff doctor`; return 1 if something does not work."""
    print(f'sff {__version__}')
    for name, found in facts():
        print(f'  {name:<10} {found}')
    faults = _check_models()
    print(f'backends on the built-in stack, {WIDTH}x{HEIGHT}, {SLICES} slices')
    print('  name       error  from onnx      time')
    trials = try_all(known_stack())
    for trial in trials:
        print(_line(trial))
    print('  error, from onnx: mean, slices; time: from the last slice to the map, median of '
          f'{RUNS}')  # fmt: skip
    faults += [fault for trial in trials for fault in trial.faults]
    for fault in faults:
        print(f'FAULT: {fault}')
    print(f'{len(faults)} faults' if faults else 'all installed components work')
    return 1 if faults else 0


def facts() -> Iterable[tuple[str, str]]:
    """Yield name and state of everything that the package depends on."""
    yield 'python', f'{platform.python_version()}, {platform.system()} {platform.machine()}'
    yield 'numpy', np.__version__
    yield 'opencv', cv2.__version__
    ros = importlib.util.find_spec('rclpy') is not None
    distro = os.environ.get('ROS_DISTRO', 'ROS_DISTRO not set')
    yield 'ros', f'rclpy installed, {distro}' if ros else 'rclpy not installed: no nodes, only sff'
    yield 'shared memory', _shared_memory()
    yield 'gpu', _or_reason(_gpu)
    yield 'tensorrt', _or_reason(_tensorrt)
    yield 'engines', _or_reason(_engines)


def try_all(known: KnownStack) -> list[Trial]:
    """Try every backend, first the one that the others are compared with."""
    first = try_backend(REFERENCE, known, None, show_progress())
    others = [
        try_backend(name, known, None if name == 'peak' else first.position, show_progress())
        for name in BACKENDS
        if name != REFERENCE
    ]
    return [first, *others]


def _shared_memory() -> str:
    folder = shared_memory.FOLDER
    if not folder.is_dir():
        return f'none: no {folder}'
    free, left = shared_memory.free_bytes(), shared_memory.leftover_bytes()
    about = f'{free / 1e6:.0f} MB free in {folder}'
    if free < shared_memory.ENOUGH_BYTES:
        about += ', too little: nodes use UDP alone'
    if left:
        about += f'; {left / 1e6:.1f} MB left by killed nodes, removed at the next start of one'
    return about


def _gpu() -> str:
    gpu = find_gpu(load_cudart())
    return f'{gpu}, driver for CUDA {gpu.driver}'


def _engines() -> str:
    cache = EngineCache()
    return f'{len(cache.entries())} in {cache.folder}'


def _tensorrt() -> str:
    library = load_library()
    return f'{library.__name__} {library.__version__}'


def _or_reason(describe: Callable[[], str]) -> str:
    """Return a description, or why there is none."""
    try:
        return describe()
    except SffError as err:
        return f'none: {err}'


def _check_models() -> list[str]:
    """Print the models that come with the package; return what is wrong with them."""
    faults = []
    print('models')
    for name, graph in SHIPPED.items():
        try:
            path = shipped_model(name)
            content = read_graph(path, graph).content if graph else read_file(path, MAX_BYTES)
        except (ModelError, OSError) as err:
            print(f'  {name:<22} missing or damaged')
            faults.append(str(err))
            continue
        digest = hashlib.sha256(content).hexdigest()
        print(f'  {name:<22} {len(content) / 1e6:5.1f} MB  sha256 {digest[:16]}')
    if not faults:
        print(f'  in {_folder()}')
    return faults


def _folder() -> Path:
    return shipped_model('fast_gru.onnx').parent


def _line(trial: Trial) -> str:
    """Return one line of the table."""
    if not trial.loaded:
        return f'  {trial.name:<10} -  {trial.what}'
    unlike = '        -' if trial.unlike is None else f'{trial.unlike:9.4f}'
    return (
        f'  {trial.name:<10} {trial.wrong:5.3f}  {unlike} {1e3 * trial.latency_s:6.0f} ms'
        f'  {trial.what}'
    )
