"""The tasks of the Fetch arm: a table, a cube, a hook."""
