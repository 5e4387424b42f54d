"""The WSGI application, from the environment's settings; `serve` has a server of its own."""

import atexit

from gateway.app import build
from gateway.serving.worker import Worker
from gateway.setup.settings import Settings

worker = Worker()
atexit.register(worker.at_end.close)
application = build(Settings.from_environ(), worker=worker)
