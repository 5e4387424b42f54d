"""The command: one governed exchange from a shell, or a receipt checked without a gateway."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from client.consent import Wish, ask, state_of
from client.exchange import Client, fetch_log_key
from client.jose import encode
from client.keys import Identity, load_key
from client.log import LogKey
from client.model import CalledWrongly, ClientError, Question, Subject
from client.receipt import Trust, verified

_EXCHANGE = """example:
  python -m client exchange --gateway http://127.0.0.1:8080 --client-id family-benefits-1 \\
    --key client.jwk.json --seal-key seal.jwk.json --agreement family-allowance \\
    --service population/residents --subject resident-number:RN-1234566 \\
    --field /name/family --field /address/postcode --case FA-2026-00042 --receipt receipt.jws"""
_ASK = """example:
  python -m client ask --gateway http://127.0.0.1:8080 --client-id family-benefits-1 \\
    --key client.jwk.json --seal-key seal.jwk.json --agreement family-allowance \\
    --subject resident-number:RN-1234566 --field tax/income#/income/year --case FA-2026-00042"""
_ASKED = """example:
  python -m client asked --gateway http://127.0.0.1:8080 --client-id family-benefits-1 \\
    --key client.jwk.json --seal-key seal.jwk.json --request rq_siap6hayoiyh3fvjc3faa22oa4"""
_VERIFY = """example:
  python -m client verify-receipt --receipt receipt.jws --keys receipt-keys.json --vkey vkey"""
_MAX_RECEIPT = 1024 * 1024


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what was called wrongly."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def main(arguments: Sequence[str]) -> int:
    """Return 0 when all is well, 1 when the answer is no, 2 when called wrongly."""
    chosen = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = chosen.run
    try:
        run(chosen)
    except CalledWrongly as error:
        return _say(error, 2)
    except ClientError as error:
        return _say(error, 1)
    return 0


def exchange(chosen: argparse.Namespace) -> None:
    """Ask, print the record, keep the receipt."""
    subject, identity = _subject(chosen), _identity(chosen)
    for file in (chosen.receipt, chosen.vkey):
        if file is not None and not file.parent.is_dir():
            raise CalledWrongly(f"There is no directory {file.parent} to write to.")
    client = Client(chosen.gateway, identity, log_key=_pinned(chosen))
    question = Question(
        chosen.agreement,
        chosen.service,
        subject,
        tuple(chosen.field),
        chosen.case,
        chosen.user,
    )
    answer = client.exchange(question)
    if chosen.receipt:
        _keep(chosen.receipt, answer.receipt)
    for one in answer.withheld:
        sys.stderr.write(f"Withheld: {one.field} ({one.reason})\n")
    _print(answer.record)


def ask_consent(chosen: argparse.Namespace) -> None:
    """Ask a person for consent, and print the request with the address of their page."""
    fields: dict[str, list[str]] = {}
    for one in chosen.field:
        service, mark, field = one.partition("#")
        if not (service and mark and field):
            raise CalledWrongly("A field must be like tax/income#/income/year.")
        fields.setdefault(service, []).append(field)
    wish = Wish(chosen.agreement, _subject(chosen), fields, chosen.case, chosen.return_url)
    made = ask(Client(chosen.gateway, _identity(chosen)), wish)
    _print({name: getattr(made, name) for name in ("request", "url", "state", "expires")})


def asked(chosen: argparse.Namespace) -> None:
    """Print whether a request was answered."""
    client = Client(chosen.gateway, _identity(chosen))
    _print({"request": chosen.request, "state": state_of(client, chosen.request)})


def verify_receipt(chosen: argparse.Namespace) -> None:
    """Check a kept receipt with two kept keys, and print where its release is logged."""
    trust = Trust.of(_read(chosen.keys), _read(chosen.vkey).decode("utf-8", "replace"))
    receipt = _read(chosen.receipt).decode("ascii", "replace").strip()
    claims, included = verified(receipt, trust)
    place = {"index": included.index, "size": included.size, "root": encode(included.root)}
    _print({"exchange": claims.get("exchange"), "fields": claims.get("fields"), "log": place})


def _subject(chosen: argparse.Namespace) -> Subject:
    scheme, _, value = chosen.subject.partition(":")
    if not scheme or not value:
        raise CalledWrongly("The subject must be like resident-number:RN-1234566.")
    return Subject(scheme, value)


def _identity(chosen: argparse.Namespace) -> Identity:
    return Identity.of(chosen.client_id, load_key(chosen.key), load_key(chosen.seal_key))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m client", description="Causeway's client.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    raw = argparse.RawDescriptionHelpFormatter
    one = commands.add_parser(
        "exchange", help="one governed exchange", epilog=_EXCHANGE, formatter_class=raw
    )
    one.set_defaults(run=exchange)
    _add_identity(one)
    _add_question(one, "PTR")
    one.add_argument("--service", required=True, metavar="S")
    one.add_argument("--user", metavar="U")
    one.add_argument("--receipt", type=Path, metavar="FILE", help="keep the receipt here")
    one.add_argument(
        "--vkey", type=Path, metavar="FILE", help="the log's key: made at first use, demanded later"
    )
    wish = commands.add_parser(
        "ask", help="ask a person for consent", epilog=_ASK, formatter_class=raw
    )
    wish.set_defaults(run=ask_consent)
    _add_identity(wish)
    _add_question(wish, "SERVICE#PTR")
    wish.add_argument("--return-url", metavar="URL", help="one that your agency registered")
    state = commands.add_parser(
        "asked", help="whether a person answered", epilog=_ASKED, formatter_class=raw
    )
    state.set_defaults(run=asked)
    _add_identity(state)
    state.add_argument("--request", required=True, metavar="ID")
    check = commands.add_parser(
        "verify-receipt", help="check a receipt offline", epilog=_VERIFY, formatter_class=raw
    )
    check.set_defaults(run=verify_receipt)
    for name in ("--receipt", "--keys", "--vkey"):
        check.add_argument(name, required=True, type=Path, metavar="FILE")
    return parser


def _add_identity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--client-id", required=True, metavar="ID")
    for name, use in (("--key", "signing key, a JWK"), ("--seal-key", "sealing key, a JWK")):
        parser.add_argument(name, required=True, type=Path, metavar="FILE", help=use)


def _add_question(parser: argparse.ArgumentParser, field: str) -> None:
    parser.add_argument("--agreement", required=True, metavar="A")
    parser.add_argument("--subject", required=True, metavar="SCHEME:VALUE")
    parser.add_argument(
        "--field", required=True, action="append", metavar=field, help="may be repeated"
    )
    parser.add_argument("--case", metavar="C")


def _pinned(chosen: argparse.Namespace) -> LogKey | None:
    """Return the log's key of `--vkey`, taken from the gateway the first time and kept."""
    if chosen.vkey is None:
        return None
    if chosen.vkey.exists():
        return LogKey.parse(_read(chosen.vkey).decode("utf-8", "replace"))
    published = fetch_log_key(chosen.gateway)
    key = LogKey.parse(published)
    _keep(chosen.vkey, published.strip())
    return key


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_RECEIPT)
    except OSError as error:
        raise CalledWrongly(f"The file {file} cannot be read.") from error


def _keep(file: Path, line: str) -> None:
    """Write one line, whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{line}\n")
        fresh.replace(file)
    except OSError as error:
        raise CalledWrongly(f"The file {file} cannot be written.") from error


def _print(value: object) -> None:
    # Bytes, because names of people do not fit every terminal's own encoding.
    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.buffer.flush()


def _say(error: ClientError, status: int) -> int:
    sentence = "".join(sign for sign in str(error) if sign.isprintable())
    sys.stderr.write(f"{sentence}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
