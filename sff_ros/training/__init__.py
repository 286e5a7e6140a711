"""Scenes, focal stacks rendered from them, and the training of a network on these."""
