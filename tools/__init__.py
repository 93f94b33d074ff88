"""What makes the package's data; nothing here is installed."""
