"""Plays episodes: collects and evaluates; never updates, never writes."""
