"""Backends: one protocol from a focus volume to slice positions and a confidence."""
