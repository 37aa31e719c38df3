"""Many rows on PostgreSQL: read ahead by threads of their own, in memory that does not grow with them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection

from chat.errors import TooSlow
from chat.models import Mentor
from exports import copying
from exports.columns import choose
from exports.rows import Question, batches

from .cast import said
from .hostile import BEGAN, everything
from .test_rows import LATER, ask, read

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
SCRIPT = """
import re, sys
from pathlib import Path
import django
django.setup()
from django.utils import timezone
from chat.filters import parse
from chat.selections import Reader, Selection
from exports.columns import choose
from exports.rows import Question, batches
from exports.writers import writer_for
format, least = sys.argv[1], int(sys.argv[2])
writer = writer_for(format, choose("message", None, []))
rows, size = 0, len(writer.begin())
asked = Question(Selection.of(parse([]), Reader(None)), writer.columns, "message", writer.form, timezone.now())
for batch in batches(asked, size=500):
    size += sum(map(len, writer.write(batch)))
    rows += batch.rows
    if rows >= least:
        break
size += len(writer.end())
# Not getrusage: what that calls the most is carried over from whoever started the process.
most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(rows, most // 1024)
"""


def fill(sessions: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        try:
            cursor.execute((Path(__file__).parent / "fill.sql").read_text(), {"sessions": sessions})
        finally:
            cursor.execute("RESET statement_timeout")  # the connection is the next test's too


def megabytes(format: str, rows: int) -> int:
    """The most that a process took which exported so many rows."""
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "mentor_project.settings"}
    command = [sys.executable, "-c", SCRIPT, format, str(rows)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    written, most = map(int, done.stdout.split())
    assert written >= rows
    return most


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(coach: Mentor) -> None:
    fill(12_000)
    for format, bound in (("csv", 20), ("jsonl", 20), ("parquet", 60)):
        assert megabytes(format, 115_000) - megabytes(format, 20_000) < bound, format
    assert megabytes("parquet", 115_000) < 250


def test_batches_that_were_read_ahead_come_in_order(coach: Mentor) -> None:
    for minute in range(7):
        said(coach, {"n": minute}, at=BEGAN.replace(minute=minute))
    found = read(ask(["sequence"], ("n",)), size=1)
    assert [row["ctx.n"] for row in found] == [minute for minute in range(7) for _ in range(2)]


def test_who_takes_one_batch_leaves_no_thread_behind(coach: Mentor) -> None:
    for _ in range(5):
        said(coach, {}, at=BEGAN)
    found = batches(ask(), size=1)
    next(found)
    found.close()
    assert [one.name for one in threading.enumerate() if one.name.startswith("export")] == []


def test_what_fails_in_a_thread_fails_at_the_reader(coach: Mentor, monkeypatch: pytest.MonkeyPatch) -> None:
    said(coach, {}, at=BEGAN)
    monkeypatch.setattr(copying, "PLANNING", "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")
    asked = Question(everything(), choose("message", None, []), "message", "csv", LATER)
    with pytest.raises(TooSlow):
        for batch in batches(asked):
            list(batch.blocks)
