"""From a URI to an ``Index``: one module for each scheme, none of which imports torch or decodes an image."""
