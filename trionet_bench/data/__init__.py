"""Image data sets.

``sources`` turns a URI into an ``Index`` of labelled images, ``pipeline`` turns an ``Index`` into splits and batches.
Neither imports the other. Only ``pipeline`` imports torch.
"""
