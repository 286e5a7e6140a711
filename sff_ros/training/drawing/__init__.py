"""Random focal stacks with ground truth: scenes, lens and camera, rendered."""
