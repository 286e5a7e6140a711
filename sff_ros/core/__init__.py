"""The method itself: NumPy and OpenCV only; no ROS, no torch, no threads, no files."""
