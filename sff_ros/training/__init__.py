"""Network training: batches of drawn scenes, losses, the loop."""
