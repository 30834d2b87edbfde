"""Losses, keras.Model subclasses with train_step, and what happens around them."""
