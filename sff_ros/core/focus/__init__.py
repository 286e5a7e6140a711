"""From slices to slice positions: the focus volume and its peak."""
