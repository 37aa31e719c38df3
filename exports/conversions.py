"""A stored file of JSON lines as the two shapes that ibl.ai's clients fetch: one JSON array, or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from .cells import guard

BATCH = 256 * 1024


def json_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in pieces, without their ends."""
    kept = b""
    for piece in pieces:
        *whole, kept = (kept + piece).split(b"\n")
        yield from whole
    if kept:
        yield kept


def members(line: str) -> dict[str, tuple[Any, str]]:
    """Of a compact JSON object each key's value, and its text: numbers and keys stay as they were spelled."""
    found, at = {}, 1
    while at < len(line) - 1:
        key, colon = _DECODER.raw_decode(line, at)
        value, end = _DECODER.raw_decode(line, colon + 1)
        found[key] = value, line[colon + 1 : end]
        at = end + 1
    return found


_DECODER = json.JSONDecoder()
_NOTHING = (None, "null")


def as_array(pieces: Iterable[bytes], columns: list[str]) -> Iterator[bytes]:
    """Of every row these columns, or all that it has."""
    return _gathered(_array(pieces, columns))


def _array(pieces: Iterable[bytes], columns: list[str]) -> Iterator[bytes]:
    yield b"["
    for number, line in enumerate(json_lines(pieces)):
        row = _chosen(line, columns) if columns else line
        yield b"," + row if number else row
    yield b"]"


def _chosen(line: bytes, columns: list[str]) -> bytes:
    row = members(line.decode())
    texts = (f"{json.dumps(name)}:{row.get(name, _NOTHING)[1]}" for name in columns)
    return f"{{{','.join(texts)}}}".encode()


def as_csv(pieces: Iterable[bytes], columns: list[str]) -> Iterator[bytes]:
    """Kept safe from spreadsheets, as every CSV is unless its asker says otherwise."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([guard(name) for name in columns])
    for line in json_lines(pieces):
        row = members(line.decode())
        writer.writerow([_cell(*row.get(name, _NOTHING)) for name in columns])
        if text.tell() > BATCH:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: Any, text: str) -> str:
    if value is None:
        return ""
    return guard(value) if isinstance(value, str) else text


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces in large ones."""
    batch = bytearray()
    for piece in pieces:
        batch += piece
        if len(batch) >= BATCH:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)
