"""The WSGI application, from the environment's settings, and how `serve` serves it."""

from gateway.app import build
from gateway.ask import MAX_BODY
from gateway.intake import Intake
from gateway.parent import die_with_parent
from gateway.settings import Settings
from gateway.turns import AT_ONCE, WITH_SERVERS, Turns

die_with_parent()
settings = Settings.from_environ()
turns = Turns(AT_ONCE if settings.redis is None and settings.opa_url is None else WITH_SERVERS)
application = build(settings, turns.aside)
served = Intake(application, MAX_BODY, turns)
