"""nginx from Debian: the source of the benchmarks, and what a user would pick instead of us."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FRAME = """\
daemon off; master_process off; worker_processes 1; pid {place}/nginx.pid;
error_log {place}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/json; keepalive_requests 1000000;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
{servers}
}}
"""
SOURCE = """\
  server {{ listen 127.0.0.1:{port}; root {root}; location / {{ try_files $uri =404; }} }}
"""
ASKING_OPA = """\
  upstream opa {{ server 127.0.0.1:{opa}; keepalive 64; }}
  upstream source {{ server 127.0.0.1:{source}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      auth_request /allowed;
      proxy_pass http://source; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
    location = /allowed {{
      internal;
      proxy_pass http://opa/v0/data/gate/allow; proxy_method POST; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Content-Type application/json;
      proxy_set_body '{{"token": "$http_authorization", "facts": {facts}}}';
    }}
  }}
"""


@contextmanager
def nginx(place: Path, port: int, servers: str) -> Iterator[int]:
    """Run nginx with these servers until the block ends; its process id."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        raise SystemExit("the benchmarks need nginx: install the Debian package nginx-light.")
    place.mkdir(parents=True, exist_ok=True)
    (place / "nginx.conf").write_text(FRAME.format(place=place, servers=servers))
    server = subprocess.Popen([program, "-p", str(place), "-c", str(place / "nginx.conf")])
    try:
        await_port(port)
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def await_port(port: int) -> None:
    """Return when somebody listens there."""
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port} after half a minute")
