"""The three nodes in one process."""

from __future__ import annotations

from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.lifecycle import main as run_main


def main() -> None:
    """Run capture_node, inference_node and depth_node."""
    # Subscribers first, so that no slice of the first sweep is missed.
    run_main(DepthNode, InferenceNode, CaptureNode)


if __name__ == '__main__':
    main()
