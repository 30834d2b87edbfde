"""Scoring of whole archives, by many workers."""
