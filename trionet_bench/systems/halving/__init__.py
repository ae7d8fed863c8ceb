"""Successive halving of stand-alone networks, at the compute of a supernet and its search."""
