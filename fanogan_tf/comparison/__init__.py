"""The papers' comparison tables: every method on the same images, trained where it is missing, in one report."""
