"""The paper's experiments: which runs there are, making them, and holding results to them."""
