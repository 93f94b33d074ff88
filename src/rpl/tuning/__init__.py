"""Searches a controller's own settings: the rival that a residual has to beat."""
