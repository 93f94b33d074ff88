"""Any Gymnasium environment as a batched task."""
