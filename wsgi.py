"""The WSGI application, from the environment's settings."""

from gateway.app import build
from gateway.parent import die_with_parent
from gateway.settings import Settings

die_with_parent()
application = build(Settings.from_environ())
