"""Look-ups: what flows ask of outside systems, by SQL, by HTTP, or of a Python function."""
