"""Adapters: how an agency's own system is asked for one record, whatever it speaks."""
