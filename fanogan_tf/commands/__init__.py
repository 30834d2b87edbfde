"""The commands of `fanogan`: their flags, and the steps they go through."""
