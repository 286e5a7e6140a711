"""The ROS 2 skin: the only package that imports rclpy."""

import os

# Read when NumPy is loaded, so set here, where every node's program begins. The matrix products
# of a backend are small: more BLAS threads only spin, on a core that another node needs.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
