"""Which spatial operator belongs where? Convolution, local and axial self-attention, and searched mixes, compared."""

__version__ = "0.1.0"
