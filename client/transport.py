"""Transport: HTTPS requests to one gateway, without redirects, answers bounded in size and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import urlsplit

from client.model import CalledWrongly, Unreachable

MAX_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer as it came."""

    status: int
    content_type: str
    body: bytes


class Transport:
    """Sends each request over a connection of its own, so that none is ever repeated."""

    def __init__(self, gateway: str, timeout: float) -> None:
        """Keep the gateway's address: https, or http on this machine. Raises `CalledWrongly`."""
        parts = urlsplit(gateway)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CalledWrongly("The gateway's address must be like https://gateway.example.")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise CalledWrongly("The gateway's address is a scheme and a host, without a path.")
        if parts.scheme == "http" and not _on_this_machine(parts.hostname):
            raise CalledWrongly("A gateway that is not on this machine must be asked over https.")
        self.base = gateway.rstrip("/")
        self._secure = parts.scheme == "https"
        self._host = parts.netloc
        self._timeout = timeout

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Return the answer to a GET, or raise `Unreachable`."""
        return self._send("GET", path, headers or {}, None)

    def fetch(self, path: str) -> bytes:
        """Return what lies at a path that every gateway has, or raise `Unreachable`."""
        reply = self.get(path)
        if reply.status != HTTPStatus.OK:
            raise Unreachable(f"The gateway answered {path} with the status {reply.status}.")
        return reply.body

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the answer to a POST, sent once, or raise `Unreachable`."""
        return self._send("POST", path, headers, body)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, timeout=self._timeout)
        try:
            connection.request(method, path, body, {"Accept": "application/json", **headers})
            with connection.getresponse() as answer:
                content = answer.read(MAX_ANSWER + 1)
                content_type = answer.headers.get_content_type()
                status = answer.status
        except (OSError, HTTPException) as error:
            raise Unreachable(f"The gateway at {self.base} cannot be reached.") from error
        finally:
            connection.close()
        if len(content) > MAX_ANSWER:
            raise Unreachable(f"The gateway answered with more than {MAX_ANSWER} bytes.")
        return Reply(status, content_type, content)


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
