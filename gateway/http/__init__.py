"""HTTP: how requests come in and how answers look, for agencies and for everybody."""
