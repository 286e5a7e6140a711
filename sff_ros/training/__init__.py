"""Random scenes, focal stacks rendered from them, and network training."""
