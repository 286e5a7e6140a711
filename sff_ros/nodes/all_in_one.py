"""The three nodes in one process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.lifecycle import main as run_main

# Argument: end when standard input does, which the death of whoever holds its other end brings
# about, however it dies.
END_WITH_STDIN = '--end-with-stdin'
_PATIENCE_S = 10.0


def main() -> None:
    """Run capture_node, inference_node and depth_node."""
    if END_WITH_STDIN in sys.argv:
        threading.Thread(target=_end_with_stdin, name='stdin', daemon=True).start()
    # Subscribers first, so that no slice of the first sweep is missed.
    run_main(DepthNode, InferenceNode, CaptureNode)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_PATIENCE_S)  # the thread does not outlive a process that ends well
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == '__main__':
    main()
