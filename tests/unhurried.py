"""Unhurried: a machine that is busy disproves no property."""

from hypothesis import HealthCheck, settings


def take_time() -> None:
    """Let every example of every property take as long as it takes."""
    calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("unhurried", calm)
    settings.load_profile("unhurried")
