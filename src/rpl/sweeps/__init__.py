"""Many runs: made side by side, here or on a Ray cluster, watched, and summed up."""
