"""The paper's own network, for the authors' checkpoints."""
