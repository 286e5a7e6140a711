"""What ROS 2's middleware needs from this package before rclpy starts."""
