"""An empty database after a test that has committed.

Django's own way truncates every table, full or not, and then makes all content types and permissions anew: that was
most of what a test cost. What every test finds there stays; of the other tables those are emptied that have rows.
"""

from __future__ import annotations

import functools

from django.db import connections, transaction
from django.test import TransactionTestCase

# Of the migrations, the same for every test.
KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})
ROUNDS = 5  # a trigger may leave rows where there were none


def empty(alias: str) -> None:
    """Remove every row that a test may have left."""
    for _ in range(ROUNDS):
        full = _full(alias)
        if not full:
            return
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            # The order does not matter: foreign keys are looked at when it commits.
            for table in full:
                cursor.execute(f"DELETE FROM {connections[alias].ops.quote_name(table)}")
    raise AssertionError(f"These do not stay empty: {_full(alias)}.")


def _full(alias: str) -> list[str]:
    with connections[alias].cursor() as cursor:
        cursor.execute(_question(alias))
        return [table for (table,) in cursor.fetchall()]


@functools.cache
def _question(alias: str) -> str:
    here = connections[alias]
    tables = set(here.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    asked = (
        f"SELECT '{one}' WHERE EXISTS (SELECT 1 FROM {here.ops.quote_name(one)})" for one in sorted(tables)
    )
    return " UNION ALL ".join(asked)


def _teardown(case: TransactionTestCase) -> None:
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        empty(alias)


def instead_of_flushing() -> None:
    """From now on, in this process."""
    TransactionTestCase._fixture_teardown = _teardown  # type: ignore[attr-defined]
