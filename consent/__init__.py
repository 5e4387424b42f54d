"""Consent: what a person allowed, for how long, and how they stop it."""
