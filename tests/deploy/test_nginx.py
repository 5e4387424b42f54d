"""The proxy: agencies reach the gateway through a real nginx with TLS, and only as themselves."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.ask import MAX_BODY
from gateway.demo.country import Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.state import prepare
from gateway.http.problems import EXPLANATIONS
from gateway.serving.main import QUIET
from kernel.errors import Reason
from tests.agency import Agency, Answer
from tests.country import RESIDENTS, RunningCountry
from tests.deploy.image import ROOT
from tests.ports import free_port

CONF = ROOT / "docker/nginx.conf"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


@dataclass
class Proxied(Agency):
    """An agency that comes over TLS."""

    authority: str = ""

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict | None = None
    ) -> Answer:
        return through(self.gateway, self.authority, method, path, body, headers)


def through(
    url: str,
    authority: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict | None = None,
) -> Answer:
    """Ask over TLS, on a connection of its own."""
    port = int(url.rpartition(":")[2])
    trusted = ssl.create_default_context(cafile=authority)
    with closing(
        http.client.HTTPSConnection("localhost", port, timeout=90, context=trusted)
    ) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())


def certificate(directory: Path) -> None:
    """Make a certificate for this machine."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", directory / "tls_key", "-out", directory / "tls_certificate"),
        ],
        check=True,
        capture_output=True,
    )


def placed(directory: Path, tls: int, plain: int, gateways: list[int]) -> Path:
    """Write the product's configuration with this machine's ports and files in it."""
    text = CONF.read_text(encoding="utf-8")
    hosts = iter(gateways)
    text = re.sub(r"server gateway-[ab]:8080", lambda _: f"server 127.0.0.1:{next(hosts)}", text)
    for there, here in (
        ("/tmp/", f"{directory}/"),
        ("/run/secrets", str(directory)),
        ("listen 8443", f"listen 127.0.0.1:{tls}"),
        ("listen 8081", f"listen 127.0.0.1:{plain}"),
    ):
        assert there in text
        text = text.replace(there, here)
    conf = directory / "nginx.conf"
    conf.write_text(text)
    return conf


@contextmanager
def proxy(directory: Path, tls: int, plain: int, gateways: list[int]) -> Iterator[None]:
    conf = placed(directory, tls, plain, gateways)
    who = "user root;" if os.getuid() == 0 else ""
    where = ["-p", str(directory), "-c", str(conf), "-e", "stderr"]
    command = [NGINX, *where, "-g", f"daemon off; {who}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", tls)) == 0:
                    break
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


@dataclass(frozen=True, slots=True)
class Behind(Place):
    """Where a country lives that everybody reaches under another address."""

    url: str

    @property
    def gateway(self) -> str:
        return self.url


@dataclass
class Front:
    """The country behind its proxy."""

    country: RunningCountry
    url: str
    plain: int
    authority: str

    def agency(self) -> Proxied:
        mine = self.country.agency()
        return Proxied(
            self.url, mine.client_id, mine.signing, mine.sealing, authority=self.authority
        )

    def get(self, path: str, **headers: str) -> Answer:
        return through(self.url, self.authority, "GET", path, None, headers)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("front")
    certificate(directory)
    tls = free_port()
    url = f"https://localhost:{tls}"
    port = free_port()
    country = found(Behind(prepare(directory / "demo"), port, url), 100)
    settings = {**country.settings, "GATEWAY_TRUSTED_PROXIES": "127.0.0.1"}
    country = replace(country, settings=settings)
    ready = f"http://127.0.0.1:{port}/readyz"
    serving = [
        replace(program, ready=ready) if program.name == "gateway" else program
        for program in programs(country)
    ]
    processes = Processes(country.place.state / "logs", lambda name: None)
    try:
        processes.start(serving)
        with proxy(directory, tls, tls + 1, [port, port]):
            authority = str(directory / "tls_certificate")
            yield Front(RunningCountry(country, processes), url, tls + 1, authority)
    finally:
        processes.stop()


def test_nginx_finds_no_fault_with_its_configuration(tmp_path: Path):
    certificate(tmp_path)
    conf = placed(tmp_path, 18443, 18081, [18080, 18080])
    told = subprocess.run(
        [NGINX, "-t", "-p", str(tmp_path), "-c", str(conf), "-e", "stderr"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "[warn]" not in told.stderr
    assert "test is successful" in told.stderr


def test_no_request_meets_a_connection_that_the_gateway_is_closing():
    (kept,) = re.findall(r"^        keepalive_timeout (\d+)s;$", CONF.read_text(), re.MULTILINE)
    assert int(kept) <= QUIET - 2


def test_an_agency_gets_its_sealed_answer_through_the_proxy(front: Front):
    agency = front.agency()
    resident = front.country.consenting()
    answer = agency.exchange(resident.number, RESIDENTS, ["/name/family"])
    assert agency.open(answer)["record"] == {"name": {"family": resident.family}}
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    assert agency.claims(answer)["iss"] == front.url
    again = front.agency()
    again.held = agency.token
    assert again.exchange(resident.number, RESIDENTS, ["/name/family"]).reason == "dpop.invalid"


def test_two_proofs_stay_two_proofs_behind_the_proxy(front: Front):
    agency = front.agency()
    path = "/v1/services"
    proofs = [agency.proof("GET", path, agency.token) for _ in range(2)]
    request = "".join(
        [
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
            f"Authorization: DPoP {agency.token}\r\n",
            *(f"DPoP: {proof}\r\n" for proof in proofs),
            "\r\n",
        ]
    )
    assert b'"dpop.invalid"' in raw(front, request.encode())


def raw(front: Front, request: bytes) -> bytes:
    trusted = ssl.create_default_context(cafile=front.authority)
    port = int(front.url.rpartition(":")[2])
    with (
        socket.create_connection(("localhost", port), 60) as bare,
        trusted.wrap_socket(bare, server_hostname="localhost") as link,
    ):
        link.sendall(request)
        answer = b""
        while piece := link.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/metrics?", "//metrics", "/%6detrics"])
@pytest.mark.parametrize("spoofed", [{}, {"X-Forwarded-For": "127.0.0.1"}])
def test_figures_are_not_to_be_had_through_the_proxy(front: Front, path: str, spoofed: dict):
    assert front.get(path, **spoofed).status == 404


def test_a_body_too_large_is_told_in_the_gateways_words(front: Front):
    agency = front.agency()
    answer = agency.post(b" " * (MAX_BODY + 1))
    own = EXPLANATIONS[Reason.REQUEST_TOO_LARGE]
    assert answer.status == own.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["title"] == own.title
    assert answer.json["type"] == f"{front.url}/errors/{answer.reason}"
    assert f"{MAX_BODY} bytes" in answer.json["detail"]
    assert agency.post(b" " * MAX_BODY).reason == "request.malformed"


def test_whoever_comes_without_tls_is_sent_to_it(front: Front):
    with closing(http.client.HTTPConnection("127.0.0.1", front.plain, timeout=60)) as connection:
        connection.request("GET", "/v1/services", headers={"Host": "gateway.example"})
        answer = connection.getresponse()
    assert answer.status == 308
    assert answer.getheader("Location") == "https://gateway.example/v1/services"


def test_what_a_client_writes_about_its_own_address_goes_no_further(tmp_path: Path):
    """A listener stands where the gateway would, and shows what arrives."""
    certificate(tmp_path)
    tls = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(60)
        with proxy(tmp_path, tls, tls + 1, [port, port]):
            front = Front(
                None, f"https://localhost:{tls}", tls + 1, str(tmp_path / "tls_certificate")
            )
            spoofed = "".join(
                f"{name}: 203.0.113.66\r\n"
                for name in (
                    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
                    *("X-Real-IP", "X_Forwarded_For", "X-Original-URL", "Proxy", "Early-Data"),
                )
            )
            request = f"GET /a//b%2Fc HTTP/1.1\r\nHost: localhost:{tls}\r\n{spoofed}\r\n"
            with (
                socket.create_connection(("localhost", tls), 60) as bare,
                ssl.create_default_context(cafile=front.authority).wrap_socket(
                    bare, server_hostname="localhost"
                ) as link,
            ):
                link.sendall(request.encode())
                arrived, _ = listener.accept()
                with arrived:
                    arrived.settimeout(60)
                    head = arrived.recv(65536).decode().lower()
    assert head.startswith("get /a//b%2fc http/1.1\r\n")
    assert "203.0.113.66" not in head
    assert head.count("x-forwarded-for: 127.0.0.1") == 1
    assert f"host: localhost:{tls}\r\n" in head
