"""From images of a printed board to a calibrated lens."""
