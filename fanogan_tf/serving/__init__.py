"""The way out: exported models, loaded again, and served over HTTP."""
