"""Load: how much may be under way at once, and how it takes turns."""
