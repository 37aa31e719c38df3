"""The ground of the reading figures: millions of messages made by SQL in an empty, migrated PostgreSQL database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from .words import SENTENCES, sentences

SQL = Path(__file__).with_name("fill.sql")
DAYS = 180
PINNED = ["stateCode", "productGroup", "language", "appVersion", "cohort"]
STATES = (
    "CA TX NY FL IL PA OH GA NC MI NJ VA WA AZ MA TN IN MD MO WI CO MN SC AL LA KY OR OK CT UT IA NV AR MS KS NM NE "
    "ID WV HI NH ME MT RI DE SD ND AK VT WY"
)
# Of a bulk load: what constraints and triggers would check row by row is right by its making.
LOAD = "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB';"
LOAD += "SET statement_timeout = 0; SET maintenance_work_mem = '1GB'; SET temp_buffers = '256MB'"


def fill(url: str, sessions: int, say: Callable[[str], None]) -> None:
    """Make that many sessions, ten messages each on average, and leave the tables vacuumed and analysed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOAD)
        indexes = _drop_indexes(connection)
        _sentences(connection)
        steps = SQL.read_text().replace("{sessions}", str(sessions)).replace("{days}", str(DAYS))
        steps = steps.replace("{pinned}", json.dumps(PINNED))
        for language, count in SENTENCES.items():
            steps = steps.replace(f"{{{language}}}", str(count))
        steps = steps.replace("{states}", ", ".join(f"'{state}'" for state in STATES.split()))
        for step in steps.split(";\n"):
            if step.strip():
                with _timed(_named(step), say):
                    connection.execute(step)  # type: ignore[call-overload]
        connection.execute("DISCARD TEMP")
        with ThreadPoolExecutor(2) as two:
            # The words first: they take as long as all others.
            list(
                two.map(
                    partial(_build, url, say), sorted(indexes, key=lambda index: "chat_words" not in index)
                )
            )
        with _timed("VACUUM ANALYZE", say):
            connection.execute("VACUUM (ANALYZE, FREEZE)")
            connection.execute("CHECKPOINT")


def _build(url: str, say: Callable[[str], None], index: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection, _timed(index.split(" ON ")[0], say):
        connection.execute(LOAD)
        connection.execute(index)  # type: ignore[call-overload]


def _sentences(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMP TABLE sentence (said_in text, n int, sentence text)")
    with connection.cursor().copy("COPY sentence FROM STDIN") as copy:
        for said_in, number, sentence in sentences():
            copy.write_row((said_in, number, sentence))
    connection.execute("ANALYZE sentence")


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """The definitions of the indexes that no constraint needs, which are faster built at the end."""
    rows = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid::regclass::text = ANY(%s) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
        [
            [
                "chat_session",
                "chat_chatmessagehistory",
                "chat_chatmessagehistoryextra",
                "chat_sessioncontextversion",
            ]
        ],
    ).fetchall()
    for name, _ in rows:
        connection.execute(f"DROP INDEX {name}")  # type: ignore[call-overload]
    return [definition for _, definition in rows]


def sizes(url: str) -> dict[str, Any]:
    """Rows and bytes of the tables, and the bytes of each index over a megabyte."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname, reltuples::bigint, pg_table_size(oid) FROM pg_class "
            "WHERE relkind = 'r' AND relname LIKE 'chat_%' AND reltuples > 0 ORDER BY 3 DESC"
        ).fetchall()
        indexes = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'i' "
            "AND pg_relation_size(oid) > 2^20 AND relname !~ '^pg_' ORDER BY 2 DESC"
        ).fetchall()
    return {
        "tables": {name: {"rows": count, "bytes": size} for name, count, size in rows},
        "indexes": dict(indexes),
    }


def _named(step: str) -> str:
    line = next(line for line in step.strip().splitlines() if not line.startswith("--"))
    return line.split(" (")[0].split(" AS")[0].split(" SET ")[0]


@contextmanager
def _timed(what: str, say: Callable[[str], None]) -> Any:
    began = time.perf_counter()
    yield
    if (seconds := time.perf_counter() - began) > 1:
        say(f"  {what}: {seconds:.1f} s")
