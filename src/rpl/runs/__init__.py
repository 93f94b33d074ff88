"""The only writer of a run's files, and their reader."""
