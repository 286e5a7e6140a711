"""Simulated scenes, lenses and cameras."""
