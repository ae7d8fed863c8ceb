"""From an ``Index`` to splits, decoded images, augmentation and batches."""
