"""Depth by shape from focus for ROS 2: a lens sweeps, a stack of pictures becomes metres."""

__version__ = '0.1.0'
