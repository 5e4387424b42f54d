"""Properties are searched as long as it takes."""

from tests.unhurried import take_time

take_time()
