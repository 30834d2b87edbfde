"""Retinal OCT: scanner volumes in, flattened retinas and patches out. NumPy and SciPy only; readers come with the extra `oct`."""
