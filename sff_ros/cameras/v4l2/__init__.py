"""V4L2 cameras whose lens is a control."""
