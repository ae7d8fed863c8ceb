"""Generated image sets, one a module: what each asks of a network is known, hence which operator belongs where."""
