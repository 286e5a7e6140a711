"""Cameras behind any ROS driver that has a focus parameter."""
