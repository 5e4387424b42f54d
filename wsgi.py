"""The WSGI application, from the environment's settings, and how `serve` serves it."""

from gateway.app import build
from gateway.ask import MAX_BODY
from gateway.intake import Intake
from gateway.parent import die_with_parent
from gateway.settings import Settings
from gateway.turns import Turns

die_with_parent()
turns = Turns()
application = build(Settings.from_environ(), turns.aside)
served = Intake(application, MAX_BODY, turns)
