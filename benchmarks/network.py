"""Our network and the paper's in comparison: time, computation, memory.

    ./run python benchmarks/network.py [--iterations 32] [--threads 2]

Needs PyTorch, which `./run python` installs.
Both see the same 15 slices of 640x480. Ours is the whole answer of backend `onnx` after the last
slice; the paper's is network/ddl_gru.py with random weights, whose time does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

HEIGHT, WIDTH, SLICES = 480, 640, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--iterations', type=int, default=32, help='of the paper (default: 32)')
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    cv2.setNumThreads(args.threads)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.float32)
    stack = [
        cv2.GaussianBlur(noise, (0, 0), 0.5 + abs(k - 7) / 2).astype(np.uint8)
        for k in range(SLICES)
    ]
    ours, ours_cpu = measure_ours(stack)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    paper, paper_cpu = measure_paper(stack, args.iterations, args.threads)
    print(
        json.dumps(
            {
                'ours_s': round(ours, 3),
                'ours_cpu_s': round(ours_cpu, 3),
                'ours_peak_mb': round(memory_mb),
                'ours_gmac': round(gmac_of_ours(), 1),
                'paper_s': round(paper, 2),
                'paper_cpu_s': round(paper_cpu, 2),
                'iterations': args.iterations,
                'times_faster': round(paper / ours, 1),
                'times_less_cpu': round(paper_cpu / ours_cpu, 1),
            },
            indent=2,
        )
    )


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the wall-clock and processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_ours(stack: list[Any]) -> tuple[float, float]:
    """Return the median of ten estimates after one to warm up."""
    from sff_ros.core.focus.all_in_focus import RunningAllInFocus
    from sff_ros.core.focus.measure import FocusVolume
    from sff_ros.inference.choice import open_backend

    backend = open_backend('onnx')
    context = RunningAllInFocus()
    measured = []
    for image in stack:
        measured.append(backend.measure(image))
        context.add(image, measured[-1])
    axis = np.arange(SLICES, dtype=float)
    volume = FocusVolume(np.stack(measured), axis, (HEIGHT, WIDTH), backend.spec.pooling)
    times = [timed(lambda: backend.infer(volume, context.image)) for _ in range(11)][1:]
    wall, cpu = (float(np.median(column)) for column in zip(*times, strict=True))
    return wall, cpu


def measure_paper(stack: list[Any], iterations: int, threads: int) -> tuple[float, float]:
    """Return one whole prediction after a short one to warm up."""
    import torch

    from sff_ros.network.paper.ddl_gru import DdlGru, predict

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = DdlGru()
    network.eval()
    predict(network, stack, 1)
    return timed(lambda: predict(network, stack, iterations))


def gmac_of_ours() -> float:
    """Return the multiplications of all convolutions for one image, 1e9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sff_ros.network.fast_gru import FastGru

    network = FastGru().eval()
    h, w = HEIGHT // 2, WIDTH // 2
    inputs = torch.rand(1, 15, 4, h, w), torch.rand(1, 7, h, w), torch.rand(1, 3, HEIGHT, WIDTH)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*inputs)
    # A multiplication and an addition each.
    return float(counter.get_total_flops()) / 2 / 1e9


if __name__ == '__main__':
    main()
