"""The loop: collect, store, update, evaluate; it knows no name and no path."""
