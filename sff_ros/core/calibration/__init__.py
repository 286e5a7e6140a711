"""Calibrate a lens from images of a printed board."""
