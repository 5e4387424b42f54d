"""wrk: loads a server with requests that were made beforehand, for a few per cent of one core."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """\
local requests, at, pause = {}, 0, 0
function init(args)
  local file = assert(io.open(args[1], "rb"))
  pause = tonumber(args[2])
  while true do
    local size = file:read("*n")
    if not size then break end
    file:read(1)
    requests[#requests + 1] = file:read(size)
  end
end
function delay()
  if pause <= 0 then return 0 end
  return math.floor(math.min(-math.log(1 - math.random()) * pause, 5000) + 0.5)
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "micros": %d, "p50": %d, "p99": %d, "refused": %d, "lost": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw: answers, seconds, latencies in ms, answers that were no success."""

    answers: int
    seconds: float
    p50: float
    p99: float
    refused: int
    lost: int

    @property
    def rate(self) -> float:
        """Return the successes of a second."""
        return (self.answers - self.refused) / self.seconds


def raw(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(
    directory: Path,
    url: str,
    requests: Sequence[bytes],
    connections: int,
    seconds: int,
    pause: float = 0.0,
) -> Load:
    """Send the requests in turn, over and over, over so many connections for so many seconds; each
    connection rests between two for an exponential time around `pause` ms, but at most five
    seconds: after ten a server closes it."""
    script, given = directory / "wrk.lua", directory / "requests"
    script.write_text(SCRIPT)
    given.write_bytes(b"".join(b"%d\n%s\n" % (len(one), one) for one in requests))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    told = subprocess.run(
        [*command, "--latency", "-s", str(script), url, "--", str(given), str(pause)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(told.stdout.rsplit("\n{", 1)[1].join(("{", "")))
    return Load(
        answers=told["requests"],
        seconds=told["micros"] / 1e6,
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        refused=told["refused"],
        lost=told["lost"],
    )
