"""Top and bottom of the retina in a volume."""
