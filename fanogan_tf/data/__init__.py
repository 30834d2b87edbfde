"""Every source becomes the same thing: an ImageSet per split, read as float32 [-1, 1] NHWC batches."""
