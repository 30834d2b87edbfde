"""Layers and networks, without their training."""
