"""Recovery: a restored database, and what a crash left open."""
