"""How long the admin's pages take at a million messages, on a PostgreSQL server of their own.

`python benchmarks/admin_at_scale.py [--messages 1000000] [--plans] [--index SQL …]` fills the tables by SQL,
asks every page through Django's test client, and prints the median of seven with the time in the database.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ROUNDS = 7
TARGET_MS = 200
FILL = Path(__file__).with_suffix(".sql")


class Watch:
    """Counts the queries of a request and their time; keeps the slowest."""

    def __init__(self) -> None:
        self.count, self.ms = 0, 0.0
        self.slowest: tuple[float, str, Any] = (0.0, "", None)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            ms = (time.perf_counter() - began) * 1000
            self.count, self.ms = self.count + 1, self.ms + ms
            self.slowest = max(self.slowest, (ms, sql, params), key=lambda one: one[0])


def fill(messages: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(FILL.read_text().replace("{sessions}", str(messages // 10)))
        for table in connection.introspection.table_names():
            cursor.execute(f'VACUUM ANALYZE "{table}"')
        cursor.execute("RESET statement_timeout")


def people() -> dict[str, Any]:
    """A superuser, and staff of one tenant and of all."""
    from django.contrib.auth.models import Permission, User

    from chat.models import Tenant

    may = Permission.objects.filter(content_type__app_label="chat")
    cast = {"superuser": User.objects.create_superuser("root")}
    for name, tenants in {
        "big": ["big"],
        "quiet": ["quiet"],
        "all": ["big", "medium", "quiet", "small"],
    }.items():
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(may)
        user.tenants.set(Tenant.objects.filter(key__in=tenants))  # type: ignore[attr-defined]
        cast[f"staff of {name}"] = user
    return cast


def pages(tenants: list[str]) -> Iterator[tuple[str, str]]:
    """(what, address) of everything that somebody of these tenants opens."""
    from chat.models import ChatMessageHistory, Mentor, Session

    sessions = Session.objects.filter(tenant__key__in=tenants)
    newest, oldest = sessions.order_by("-created_at")[5], sessions.order_by("created_at")[5]
    longest = sessions.order_by("-next_sequence").first()
    message = ChatMessageHistory.objects.filter(session=oldest).get(sequence=9)
    answer = ChatMessageHistory.objects.filter(session=newest).get(sequence=10)
    user = sessions.exclude(user_id="").order_by("created_at")[50].user_id
    mentor = Mentor.objects.filter(tenant__key=tenants[0])[3]
    s, m = "/admin/chat/session/", "/admin/chat/chatmessagehistory/"
    yield from [
        ("sessions", s),
        ("sessions, last page", f"{s}?p=20"),
        ("sessions of a tenant", f"{s}?tenant={mentor.tenant_id}"),
        ("sessions of a mentor", f"{s}?mentor={mentor.pk}"),
        ("sessions of a mentor, last month", f"{s}?mentor={mentor.pk}&started=month"),
        ("sessions with a running turn", f"{s}?turn=running"),
        ("session by id", f"{s}?q={oldest.pk}"),
        ("session by eight digits", f"{s}?q={str(oldest.pk)[:8]}"),
        ("session by message id", f"{s}?q={message.pk}"),
        ("sessions by user id", f"{s}?q={user}"),
        ("session by nonsense", f"{s}?q=nonsense"),
        ("messages", m),
        ("messages, last page", f"{m}?p=20"),
        ("messages stopped", f"{m}?status=stopped"),
        ("messages interrupted (none)", f"{m}?status=interrupted"),
        ("message by id", f"{m}?q={message.pk}"),
        ("messages by session id", f"{m}?q={oldest.pk}"),
        ("messages by user id", f"{m}?q={user}"),
        ("message by client_message_id", f"{m}?q={message.client_message_id}"),
        ("messages by nonsense", f"{m}?q=nonsense"),
        ("a session", f"{s}{newest.pk}/change/"),
        ("a session, its longest", f"{s}{longest and longest.pk}/change/"),
        ("a question", f"{m}{message.pk}/change/"),
        ("an answer with its prompt", f"{m}{answer.pk}/change/"),
        ("mentors", "/admin/chat/mentor/"),
        ("a mentor", f"/admin/chat/mentor/{mentor.pk}/change/"),
        ("tokens", "/admin/chat/apitoken/"),
    ]


def measure(client: Any, address: str) -> tuple[float, Watch]:
    """The median request of seven, after one to warm up."""
    from django.db import connection

    taken = []
    for _ in range(ROUNDS + 1):
        watch, began = Watch(), time.perf_counter()
        with connection.execute_wrapper(watch):
            response = client.get(address)
        if response.status_code not in (200, 302):  # a page that is past the end leads to the list
            raise SystemExit(f"{address} answered {response.status_code}")
        taken.append(((time.perf_counter() - began) * 1000, watch))
    ms = statistics.median(one for one, _ in taken[1:])
    return ms, min(taken[1:], key=lambda one: abs(one[0] - ms))[1]


def explain(watch: Watch) -> None:
    from django.db import connection

    _, sql, params = watch.slowest
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {sql}", params)
        print("\n".join(f"      {row[0]}" for row in cursor.fetchall()))


def report(plans: bool) -> None:
    from django.test import Client

    for name, user in people().items():
        client = Client(SERVER_NAME="localhost")
        client.force_login(user)
        tenants = list(user.tenants.values_list("key", flat=True)) or ["big"]
        print(f"\n{name:<36}{'ms':>8}{'in db':>8}{'queries':>9}")
        for what, address in pages(tenants):
            ms, watch = measure(client, address)
            print(f"  {what:<34}{ms:8.1f}{watch.ms:8.1f}{watch.count:9}{'  SLOW' if ms > TARGET_MS else ''}")
            if plans and watch.slowest[0] > 20:
                explain(watch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--plans", action="store_true", help="explain what takes over 20 ms in the database")
    parser.add_argument("--index", action="append", default=[], help="an index to make first")
    options = parser.parse_args()

    from tests.services import Postgres

    with Postgres() as postgres, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATABASE_URL": postgres.url, "VAR_DIR": folder}
        os.environ["DJANGO_SETTINGS_MODULE"] = "mentor_project.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        began = time.perf_counter()
        fill(options.messages)
        print(f"{options.messages:,} messages made in {time.perf_counter() - began:.0f} s")
        for index in options.index:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(index)
                cursor.execute("RESET statement_timeout")
        report(options.plans)
        connection.close()


if __name__ == "__main__":
    main()
