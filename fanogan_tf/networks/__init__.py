"""Layers and networks, no training."""
