"""Demo: a small country on one machine, and a story that shows what the gateway promises."""
