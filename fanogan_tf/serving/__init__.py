"""A trained detector leaves the house: export, loading it again, serving it over HTTP."""
