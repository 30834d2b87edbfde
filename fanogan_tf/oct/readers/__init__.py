"""One module per family of OCT files; each turns a path into a `Volume`."""
