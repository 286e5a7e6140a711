"""A sweep: its plan, its slices, its stack."""
