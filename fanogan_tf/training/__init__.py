"""Losses, keras.Model subclasses with train_step, and the loop around them."""
