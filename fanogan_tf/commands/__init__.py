"""The commands of `fanogan`: what each takes, and the steps it goes through."""
