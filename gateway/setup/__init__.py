"""Setup: what the operator named, read once, checked, and opened."""
