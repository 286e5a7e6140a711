"""Between the processes that draw scenes and the one that trains."""

from __future__ import annotations

import signal

import cv2
import torch

from sff_ros.training.tasks import Batch


def start_worker(_: int) -> None:
    """Prepare a process that draws scenes."""
    cv2.setNumThreads(1)  # there is a worker for each core
    # Both reach the whole process group, and the parent needs the loader to finish its step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch in float32 where it is needed."""
    return {name: v.to(device, non_blocking=True).float() for name, v in batch.items()}
