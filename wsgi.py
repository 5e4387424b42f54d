"""The WSGI application, from the environment's settings."""

from gateway.app import build
from gateway.settings import Settings

application = build(Settings.from_environ())
