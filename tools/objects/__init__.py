"""The generator of the objects that complex-hook draws from."""
