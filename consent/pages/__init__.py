"""Pages of consent: what a person sees in a browser; plain HTML, no script."""
