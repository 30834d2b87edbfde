"""Scores, maps and decisions from trained networks."""
