"""Cameras whose lens can move, behind one protocol."""
