"""The files adapter: one person's record from a CSV or JSON file that the agency replaces."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from adapters.base import Faults, identifier, sooner, unknown
from adapters.csv_file import CsvFormat
from adapters.drop import Drop, Format, Garbled, Missing, Slow
from adapters.json_file import JsonFormat
from adapters.model import CsvRead, JsonRead, SourceAddress
from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.names import Pointer, Subject


class RecordFormat(Format, Protocol):
    """How a file is cut into records, and how one person's is read."""

    @property
    def limit(self) -> int:
        """Return how many records one person may have."""
        ...

    def record(
        self, texts: Sequence[bytes], header: Sequence[str], key: str, wanted: frozenset[str]
    ) -> dict[str, Json] | None:
        """Return the wanted fields of one person, None where none is theirs; or `Garbled`."""
        ...


class FilesSource:
    """Answers from the file as it is now; while it is garbled, nothing is answered."""

    blocks = True

    def __init__(
        self, address: SourceAddress, read: CsvRead | JsonRead, subject_at: Pointer
    ) -> None:
        """Prepare the source; nothing is opened yet. Raises `ValueError` for a bad address."""
        self._format: RecordFormat = (
            CsvFormat(read) if isinstance(read, CsvRead) else JsonFormat(read)
        )
        self._drop = Drop(_directory(address.url) / read.file, self._format)
        self._faults = Faults(address.name)
        self._timeout = address.timeout
        self._subject_at = subject_at

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return the record, all of it from one state of the file."""
        value = identifier(subject)
        within = sooner(deadline, self._timeout)
        wanted = frozenset(fields | {self._subject_at})
        try:
            # One more than allowed shows that there are too many.
            found = self._drop.find(value, self._format.limit + 1, within)
            record = self._format.record(found.texts, found.header, value, wanted)
        except Missing as error:
            raise self._faults.unavailable("has no file that can be read") from error
        except Slow as error:
            raise self._faults.timeout() from error
        except Garbled as error:
            raise self._faults.bad_answer(f"has a file that {error}") from error
        if record is None:
            raise unknown()
        return record

    def close(self) -> None:
        """End the thread that indexes."""
        self._drop.close()


def _directory(url: str) -> Path:
    parts = urlsplit(url)
    directory = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or parts.query or not directory.is_absolute():
        raise ValueError("the address of a files source must be like file:///absolute/directory")
    return directory
