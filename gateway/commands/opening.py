"""Opening: how a command comes to the rooms, and how its troubles become one plain sentence."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import click

from audit.model import BadLedger
from crypto.keyfile import KeyRefused
from gateway.policy.bundle import BadBundle
from gateway.policy.fault import BadOpaUrl, PolicyError
from gateway.policy.opa_command import OpaFailed
from gateway.rooms import Rooms
from gateway.rooms import opened as open_with
from gateway.setup.settings import BadSettings, Settings
from kernel.database import StorageError
from kernel.errors import Refusal
from kernel.migrations import BadSchema

_P = ParamSpec("_P")
_R = TypeVar("_R")

PLAIN = (
    BadBundle,
    BadLedger,
    BadOpaUrl,
    BadSchema,
    BadSettings,
    KeyRefused,
    OpaFailed,
    PolicyError,
)
"""What a start can stumble over; each text is written for the operator."""


class No(click.ClickException):
    """It ran, and the answer is no: exit 1 with one plain sentence on standard error."""

    exit_code = 1

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's own signature
        """Print the sentence alone."""
        click.echo(self.message, err=True)


@contextmanager
def opened() -> Iterator[Rooms]:
    """Hold the rooms of the environment's settings open for a command."""
    with open_with(Settings.from_environ()) as rooms:
        yield rooms


def plainly(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return the command with its troubles told in one sentence instead of a traceback."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except StorageError as error:
            raise No(f"The database cannot be used: {error}.") from error
        except Refusal as refusal:
            raise No(refusal.detail) from refusal
        except PLAIN as error:
            raise No(str(error)) from error
        except TimeoutError as error:
            raise No("The database is busy: another process keeps its lock.") from error
        except OSError as error:
            raise No(f"{error.filename or 'A file'}: {error.strerror}.") from error

    return run
