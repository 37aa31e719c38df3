"""The ground a run stands on: a database, a Redis database and a tenant of its own, removed afterwards."""

from __future__ import annotations

import os
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import redis
from processes import OTHER_CORES, pin
from psycopg import sql

DATABASE_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS_URL = "redis://127.0.0.1:6379/0"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Database:
    """`mentor_bench_<pid>` on the server of DATABASE_URL, and the CPU its backends have used."""

    def __init__(self) -> None:
        parts = urlsplit(os.environ.get("DATABASE_URL", DATABASE_URL))
        self.local = parts.hostname in LOOPBACK
        self.name = f"mentor_bench_{os.getpid()}"
        self.url = urlunsplit(parts._replace(path=f"/{self.name}"))
        self.admin = psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True)
        self.admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
        self.seen: dict[int, float] = {}

    def version(self) -> str:
        return str(self.admin.info.parameter_status("server_version")).split()[0]

    def cpu_ms(self) -> float:
        """Milliseconds of all backends of this database so far; 0 when they run on another machine.

        A backend that ended between two looks counts with what it had at the last one.
        """
        if not self.local:
            return 0.0
        rows = self.admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self.name])
        for (pid,) in rows.fetchall():
            with suppress(psutil.Error):
                self.seen[pid] = 1000 * sum(psutil.Process(pid).cpu_times()[:2])
                pin(pid, OTHER_CORES)
        return sum(self.seen.values())

    def count(self, query: str) -> int:
        """The single number that a query gives in this database."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query).fetchone()
            return int(row[0]) if row else 0

    def drop(self) -> None:
        self.admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name))
        )
        self.admin.close()


class RedisDatabase:
    """The highest empty database of the Redis server of REDIS_URL, marked as taken, flushed at the end."""

    MARK = "mentor_bench"

    def __init__(self) -> None:
        url = os.environ.get("REDIS_URL", REDIS_URL)
        for number in range(15, 0, -1):
            self.url = urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
            self.client = redis.Redis.from_url(self.url)
            if self.client.dbsize() == 0 and self.client.set(self.MARK, os.getpid(), nx=True):
                return
        raise SystemExit("No database of the Redis server is empty: set REDIS_URL to another server.")

    def version(self) -> str:
        return str(self.client.info("server")["redis_version"])

    def drop(self) -> None:
        self.client.flushdb()
        self.client.close()
