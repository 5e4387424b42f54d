"""Registry: the kinds of adapter, what the catalogue may say to each, and making the sources."""

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from adapters.base import Source
from adapters.files import FilesSource
from adapters.model import CsvRead, JsonRead, Read, RestRead, SourceAddress, SqlRead
from adapters.rest import RestSource
from adapters.sql import SqlSource
from kernel.canonical import Json
from kernel.names import Pointer
from kernel.waits import BY_THREAD, Perform

KINDS = ("files", "rest", "sql")
_FORMATS: Mapping[str, type[CsvRead | JsonRead]] = {"csv": CsvRead, "json": JsonRead}


def check(kind: str, read: Mapping[str, Json], pointers: Collection[str] = ()) -> None:
    """Raise `ValueError` with one plain sentence when `read` is not a block for this adapter, or
    does not say where each of these pointers (the service's fields and `subject_at`) is."""
    block = _parse(kind, read)
    for pointer in pointers:
        if not block.covers(pointer):
            raise ValueError(f"read does not say where the source holds {pointer}")


def build(
    kind: str,
    read: Mapping[str, Json],
    subject_at: Pointer,
    address: SourceAddress,
    perform: Perform = BY_THREAD,
) -> Source:
    """Return the source of one service, which carries its transfers out as it is told; raises
    `ValueError` when block or address is wrong."""
    block = _parse(kind, read)
    if not block.covers(subject_at):
        raise ValueError(f"read does not say where the source holds {subject_at}")
    match block:
        case SqlRead():
            return SqlSource(address, block, subject_at)
        case RestRead():
            return RestSource(address, block, subject_at, perform)
        case CsvRead() | JsonRead():
            return FilesSource(address, block, subject_at)


def _parse(kind: str, read: Mapping[str, Json]) -> Read:
    try:
        return _schema(kind, read).model_validate(dict(read))
    except ValidationError as error:
        raise ValueError(_sentence(error)) from error


def _schema(kind: str, read: Mapping[str, Json]) -> type[Read]:
    match kind:
        case "sql":
            return SqlRead
        case "rest":
            return RestRead
        case "files":
            form = read.get("format")
            if not isinstance(form, str) or form not in _FORMATS:
                raise ValueError("read.format must be csv or json")
            return _FORMATS[form]
        case _:
            raise ValueError(f"the adapter must be one of {', '.join(KINDS)}")


def _sentence(error: ValidationError) -> str:
    """Return the first fault in plain words, with the member that has it."""
    fault = error.errors(include_url=False, include_input=False)[0]
    member = ".".join(["read", *(str(part) for part in fault["loc"])])
    match fault["type"]:
        case "extra_forbidden":
            return f"{member} is not a member that this adapter knows"
        case "missing":
            return f"{member} is missing"
        case "value_error":
            return f"{member} {fault['ctx']['error']}"
        case _:
            return f"{member} is wrong: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
