"""The networks, in PyTorch: for training and export; nothing here is imported by a node."""
