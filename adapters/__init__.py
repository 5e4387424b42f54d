"""Adapters: how the gateway reads one record from an agency's own system, and nothing else."""
