"""PETS, the other method: a learned model of the task, and planning with it."""
