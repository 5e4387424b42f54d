"""The files adapter against real files that are replaced, cut off, mended or simply wrong."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import adapters.drop
import adapters.json_file
from adapters.base import Source
from adapters.csv_file import CsvFormat
from adapters.drop import Content
from adapters.registry import build
from kernel.errors import Exact, Reason, Refusal
from tests.contract.asking import ask, refusal
from tests.contract.sources import ALL, CSV_READ, JSON_READ, PEOPLE, SUBJECT_AT, at, csv_text

PLAIN = {
    "format": "csv",
    "file": "people.csv",
    "key": "number",
    "columns": {"/number": "number", "/a": "a", "/b": "b"},
}
Put = Callable[[bytes | str], None]


@contextmanager
def reading(directory: Path, read: dict[str, Any]) -> Iterator[Source]:
    source = build("files", read, SUBJECT_AT, at("register", f"file://{directory}"))
    try:
        yield source
    finally:
        source.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Source]:
    with reading(tmp_path, PLAIN) as source:
        yield source


@pytest.fixture
def array(tmp_path: Path) -> Iterator[Source]:
    with reading(tmp_path, JSON_READ) as source:
        yield source


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(content: bytes | str) -> None:
        replace(tmp_path / "people.csv", content)

    return put


@pytest.fixture
def put_json(tmp_path: Path) -> Put:
    return lambda content: replace(tmp_path / "people.json", content)


def replace(file: Path, content: bytes | str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.replace(file)


GARBAGE = {
    "empty": b"",
    "no header": b"\n\n",
    "not UTF-8": b"number,a,b\nRN-1,\xff,y\n",
    "UTF-16": "number,a,b\nRN-1,x,y\n".encode("utf-16"),
    "NUL": b"number,a,b\nRN-1,\0,y\n",
    "cut in the last line": b"number,a,b\nRN-1,x,y\nRN-2,x",
    "cut in quotes": b'number,a,b\nRN-1,x,y\nRN-2,"x\n',
    "a missing column": b"number,a\nRN-1,x\n",
    "a column twice": b"number,a,b,a\nRN-1,x,y,z\n",
    "a cell too few": b"number,a,b\nRN-1,x,y\nRN-2,x\n",
    "a cell too many": b"number,a,b\nRN-1,x,y\nRN-2,x,y,z\n",
    "a stray quote": b'number,a,b\nRN-1,x,y\nRN-2,"x"x,y\n',
    "a long line": b"number,a,b\nRN-1,x,y\nRN-2,x," + b"y" * 70_000 + b"\n",
    "a long record": b'number,a,b\nRN-1,x,y\nRN-2,x,"' + b"y\n" * 40_000 + b'"\n',
    "old Macintosh": b"number,a,b\rRN-1,x,y\r",
    "HTML": b"<html><body>moved</body></html>\n",
    "two lines for one person": b"number,a,b\nRN-1,x,y\nRN-1,x,y\n",
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_garbled_file_is_a_bad_answer_until_it_is_mended(
    plain: Source, put: Put, garbage: str
) -> None:
    put(b"number,a,b\nRN-1,x,y\n")
    assert ask(plain, "/a") == {"number": "RN-1", "a": "x"}
    put(GARBAGE[garbage])
    for _ in range(2):
        assert refusal(plain, "/a").reason is Reason.SOURCE_BAD_ANSWER
    put(b"number,a,b\nRN-1,mended,y\n")
    assert ask(plain, "/a") == {"number": "RN-1", "a": "mended"}


def test_a_file_that_goes_away_is_unavailable_until_it_is_back(
    plain: Source, put: Put, tmp_path: Path
) -> None:
    put(b"number,a,b\nRN-1,x,y\n")
    ask(plain, "/a")
    (tmp_path / "people.csv").unlink()
    assert refusal(plain, "/a").reason is Reason.SOURCE_UNAVAILABLE
    put(b"number,a,b\nRN-1,again,y\n")
    assert ask(plain, "/a")["a"] == "again"


def test_something_else_than_a_file_is_never_waited_for(plain: Source, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "people.csv")
    assert refusal(plain, "/a").reason is Reason.SOURCE_BAD_ANSWER
    (tmp_path / "people.csv").unlink()
    (tmp_path / "people.csv").mkdir()
    assert refusal(plain, "/a").reason in {Reason.SOURCE_BAD_ANSWER, Reason.SOURCE_UNAVAILABLE}


def test_a_file_that_takes_long_to_index_is_a_timeout_and_then_there(
    plain: Source, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, indexed = threading.Event(), []
    content = CsvFormat.content

    def late(form: CsvFormat, file: BinaryIO) -> Content:
        assert ready.wait(20)
        indexed.append(1)
        return content(form, file)

    monkeypatch.setattr(CsvFormat, "content", late)
    put("number,a,b\nRN-1,x,y\n")
    for _ in range(2):
        assert refusal(plain, "/a", seconds=0.1).reason is Reason.SOURCE_TIMEOUT
    ready.set()
    assert ask(plain, "/a")["a"] == "x"
    assert indexed == [1]


def test_each_record_comes_whole_from_one_state_of_a_file_that_is_replaced_all_the_time(
    plain: Source, put: Put
) -> None:
    def version(n: int) -> str:
        # Lines shift from one version to the next, so that a wrong offset would show.
        filler = "".join(f"RN-X{i},{'z' * (n % 7)},\n" for i in range(50))
        return f"number,a,b\n{filler}RN-1,{n},{n}\n"

    stop = threading.Event()

    def replaces() -> None:
        n = 0
        while not stop.is_set():
            put(version(n := n + 1))

    put(version(0))
    writer = threading.Thread(target=replaces)
    writer.start()
    try:
        seen = [ask(plain, "/a", "/b") for _ in range(150)]
    finally:
        stop.set()
        writer.join()
    assert all(record["a"] == record["b"] for record in seen)
    assert [int(record["a"]) for record in seen] == sorted(int(record["a"]) for record in seen)


def test_a_file_that_is_rewritten_in_place_is_read_again(plain: Source, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"number,a,b\nRN-1,x,y\n")
    assert ask(plain, "/a")["a"] == "x"
    file.write_bytes(b"b,a,number\nlonger than before,z,RN-1\n")
    assert ask(plain, "/a", "/b") == {"number": "RN-1", "a": "z", "b": "longer than before"}


@pytest.mark.parametrize(
    "text",
    [
        '\ufeffnumber,a,b\r\n"RN-1","say ""hi""\r\nthere",\r\n',
        'more,b,a,number\n,,"say ""hi""\r\nthere",RN-1\n\n',
    ],
    ids=["byte order mark and CRLF", "other columns and an empty line"],
)
def test_proper_csv_is_understood(plain: Source, put: Put, text: str) -> None:
    put(text)
    assert ask(plain, "/a", "/b") == {"number": "RN-1", "a": 'say "hi"\r\nthere'}


def test_another_delimiter_is_named_by_the_catalogue(tmp_path: Path, put: Put) -> None:
    put('number;a;b\nRN-1;"x;y";1,5\n')
    with reading(tmp_path, {**PLAIN, "delimiter": ";"}) as source:
        assert ask(source, "/a", "/b") == {"number": "RN-1", "a": "x;y", "b": "1,5"}


def test_lines_of_one_person_that_contradict_each_other_are_a_bad_answer(
    tmp_path: Path, put: Put
) -> None:
    put(csv_text() + 'RN-1,another name,Amina,,"x",\r\n')
    with reading(tmp_path, CSV_READ) as source:
        assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER
        assert ask(source, "/children/*/name", number="RN-2")["children"] == [{"name": "翔"}]


def test_more_lines_than_the_catalogue_allows_are_a_bad_answer(tmp_path: Path, put: Put) -> None:
    put(csv_text() + "RN-1,Ünal,Amina,,x,\r\n" * 4)
    with reading(tmp_path, CSV_READ) as source:
        assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


def test_lines_of_one_person_need_not_stand_together(tmp_path: Path, put: Put) -> None:
    put(csv_text() + "RN-1,Ünal,Amina,,Third,\r\n")
    with reading(tmp_path, CSV_READ) as source:
        children = ask(source, "/children/*/name")["children"]
    assert [child["name"] for child in children] == ["Noor", "ليلى", "Third"]


def test_too_many_records_are_a_bad_answer(
    plain: Source, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.drop, "MAX_RECORDS", 3)
    put("number,a,b\n" + "".join(f"RN-{n},x,y\n" for n in range(3)))
    assert ask(plain, "/a")["a"] == "x"
    put("number,a,b\n" + "".join(f"RN-{n},x,y\n" for n in range(4)))
    assert refusal(plain, "/a").reason is Reason.SOURCE_BAD_ANSWER


def test_too_large_a_file_is_a_bad_answer_before_it_is_read(
    plain: Source, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.drop, "MAX_FILE", 100)
    put(b"number,a,b\nRN-1,x,y\n" + b"\n" * 100)
    assert refusal(plain, "/a").reason is Reason.SOURCE_BAD_ANSWER


def test_people_whose_hashes_collide_are_told_apart(
    plain: Source, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.drop, "hash", lambda _: 7, raising=False)
    put("number,a,b\nRN-2,other,y\nRN-1,mine,y\n")
    assert ask(plain, "/a") == {"number": "RN-1", "a": "mine"}
    with pytest.raises(Refusal) as refused:
        ask(plain, "/a", number="RN-3")
    assert refused.value.exact is Exact.SUBJECT_UNKNOWN


RECORD = json.dumps(PEOPLE["RN-1"])
BAD_ARRAYS = {
    "empty": "",
    "an object": RECORD,
    "cut off": f"[{RECORD}",
    "cut in a record": f"[{RECORD[:-3]}",
    "no comma": f"[{RECORD} {RECORD}]",
    "a comma too many": f"[{RECORD},]",
    "more after the end": f"[{RECORD}] []",
    "a number in it": f"[{RECORD}, 1]",
    "without identifier": f'[{RECORD}, {{"name": "x"}}]',
    "a number as identifier": f'[{RECORD}, {{"number": 1}}]',
    "a member twice": f'[{RECORD}, {{"number": "RN-2", "number": "RN-3"}}]',
    "NaN": f'[{RECORD}, {{"number": "RN-2", "x": NaN}}]',
    "deep": f'[{RECORD}, {{"number": "RN-2", "x": {"[" * 40}{"]" * 40}}}]',
    "very deep": "[" * 200_000,
    "large record": f'[{RECORD}, {{"number": "RN-2", "x": "{"y" * 70_000}"}}]',
    "two records for one person": f"[{RECORD},{RECORD}]",
    "not UTF-8": b'[{"number": "\xff"}]',
    "lines": f"{RECORD}\n{RECORD}\n",
}


@pytest.mark.parametrize("garbage", BAD_ARRAYS)
def test_a_garbled_array_is_a_bad_answer_until_it_is_mended(
    array: Source, put_json: Put, garbage: str
) -> None:
    put_json(BAD_ARRAYS[garbage])
    for _ in range(2):
        assert refusal(array, "/name/given").reason is Reason.SOURCE_BAD_ANSWER
    put_json(f" [\r\n\t{RECORD} ] \n")
    assert ask(array, "/name/given") == {"number": "RN-1", "name": {"given": "Amina"}}


def test_an_empty_array_knows_nobody(array: Source, put_json: Put) -> None:
    put_json("[ ]")
    with pytest.raises(Refusal) as refused:
        ask(array, "/name/given")
    assert refused.value.exact is Exact.SUBJECT_UNKNOWN


def test_a_large_array_is_a_bad_answer(
    array: Source, put_json: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.json_file, "MAX_JSON_FILE", 100)
    put_json(f"[{RECORD}]")
    assert refusal(array, "/name/given").reason is Reason.SOURCE_BAD_ANSWER


@pytest.mark.parametrize(
    "url", ["people.csv", "file:relative", "file://host/x", "https://example.org/", "file:///x?y"]
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="files source"):
        build("files", PLAIN, SUBJECT_AT, at("register", url))
