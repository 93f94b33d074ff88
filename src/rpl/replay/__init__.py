"""What was seen, as NumPy arrays: episodes, where they are kept, and how they are drawn."""
