"""Pictures and films of run folders; never trains."""
