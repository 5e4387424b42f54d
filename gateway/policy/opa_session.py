"""The session under opa-python-client, bounded: no proxy, no redirect, no endless answer."""

from dataclasses import dataclass

import requests  # noqa: TID251 - opa-python-client stands on it
from urllib3.exceptions import HTTPError

from kernel.canonical import Json, parse
from kernel.clock import Clock, Deadline

MAX_ANSWER = 256 * 1024
CHUNK = 16 * 1024
OK = 200

FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)
"""What a question that OPA did not answer raises; the text of such an error goes nowhere."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A whole answer: the part of `requests.Response` that the client reads."""

    status_code: int
    body: bytes

    def raise_for_status(self) -> None:
        """Raise where OPA did not answer the question, also for a redirect."""
        if self.status_code != OK:
            raise ValueError(f"OPA answered with status {self.status_code}")

    def json(self) -> Json:
        """Return the JSON value of the answer, strictly read."""
        return parse(self.body, max_bytes=MAX_ANSWER)


class BoundedSession:
    """A `requests` session of one thread that reads an answer whole, within its bounds."""

    def __init__(self, session: requests.Session, clock: Clock) -> None:
        """Take the client's session; the environment's proxies and netrc are not for OPA."""
        session.trust_env = False
        self._session = session
        self._clock = clock

    def get(self, url: str, timeout: float) -> Answer:
        """Return the answer to a GET."""
        return self._ask("GET", url, timeout)

    def post(self, url: str, json: Json, timeout: float) -> Answer:
        """Return the answer to a POST of a JSON value."""
        return self._ask("POST", url, timeout, json)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self, method: str, url: str, timeout: float, json: Json = None) -> Answer:
        deadline = Deadline.within(timeout, self._clock)
        body = bytearray()
        with self._session.request(
            method, url, json=json, timeout=timeout, stream=True, allow_redirects=False
        ) as response:
            # `read1` returns what is there; `iter_content` waits for a whole chunk, however long.
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise ValueError("the answer of OPA is too large")
                if deadline.left() <= 0:
                    raise ValueError("the answer of OPA came too late")
            return Answer(response.status_code, bytes(body))
