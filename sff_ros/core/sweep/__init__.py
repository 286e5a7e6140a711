"""What a sweep is: its plan, its slices, its stack."""
