"""Sources of images: every one becomes an ImageSet per split, read as float32 [-1, 1] NHWC batches."""
