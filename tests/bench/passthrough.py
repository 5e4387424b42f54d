"""A bare pass-through: fetch the same record and hand it on; nothing is checked or written."""

import os
import threading
from io import BytesIO

import pycurl
from flask import Flask

app = Flask(__name__)
_own = threading.local()


@app.post("/")
def hand_on():
    """Fetch over a kept connection, as the gateway's own adapter does, and return the bytes."""
    if not hasattr(_own, "handle"):
        _own.handle = pycurl.Curl()
        _own.handle.setopt(pycurl.URL, os.environ["BENCH_URL"])
        authorization = f"Authorization: Bearer {os.environ['BENCH_SECRET']}"
        _own.handle.setopt(pycurl.HTTPHEADER, [authorization])
    body = BytesIO()
    _own.handle.setopt(pycurl.WRITEDATA, body)
    _own.handle.perform()
    assert _own.handle.getinfo(pycurl.RESPONSE_CODE) == 200
    return app.response_class(body.getvalue(), content_type="application/json")
