"""Retinal OCT: scanner volumes in, flattened retinas and patches out. Imports NumPy only; readers come with the extra `oct`."""
