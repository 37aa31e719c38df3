"""Where a word stands: in every column of every table, every key and value of the cache, every byte of every file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache as django_cache
from django.db import connection
from pyarrow import parquet

from chat import cache


def places(word: str) -> list[str]:
    """Table and column, key of the cache, or name of a file, of each that has the word."""
    return sorted({*_in_database(word), *_in_cache(word), *_in_files(word)})


def forget_earlier_tests() -> None:
    """What they left in the cache, whose tables are empty by now."""
    if not settings.REDIS_URL:
        django_cache.clear()
        return
    redis = _redis()
    for pattern in ("session_*", f"{settings.KEY_PREFIX}:turn:*"):
        for key in redis.scan_iter(pattern):
            redis.delete(key)


def _redis() -> Any:
    from django_redis import get_redis_connection

    return get_redis_connection()


def _in_database(word: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            for column in connection.introspection.get_table_description(cursor, table):
                name = f'"{table}"."{column.name}"'
                # Of any type: as text it has what it has.
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" WHERE CAST({name} AS text) LIKE %s', [f"%{word}%"]
                )
                if cursor.fetchone()[0]:
                    yield f"{table}.{column.name}"


def _in_cache(word: str) -> Iterator[str]:
    if settings.REDIS_URL:
        yield from _in_redis(word)
        return
    if any(word in repr(item) for item in vars(django_cache).get("_cache", {}).items()):
        yield "cache"
    if word in repr(vars(cache.store())):
        yield "events"


def _in_redis(word: str) -> Iterator[str]:
    redis = _redis()
    for key in redis.scan_iter():
        kind = redis.type(key)
        read: dict[bytes, Any] = {
            b"string": lambda key: redis.get(key),
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
            b"hash": lambda key: redis.hgetall(key),
            b"set": lambda key: redis.smembers(key),
        }
        if word in repr(key) or word in repr(read[kind](key)):
            yield f"redis {key!r}"


def _in_files(word: str) -> Iterator[str]:
    folder = Path(settings.STORAGES["exports"]["OPTIONS"]["location"])
    for path in folder.rglob("*"):
        if path.is_file() and word in _text_of(path):
            yield path.suffix


def _text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return json.dumps(parquet.read_table(path).to_pylist(), default=str, ensure_ascii=False)
    return path.read_text(errors="replace")
