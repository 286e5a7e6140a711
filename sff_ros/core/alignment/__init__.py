"""Bring the slices of one sweep into one frame."""
