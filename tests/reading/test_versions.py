"""`GET /api/v1/sessions/{id}/context/versions/`: every value, who set it, and what it changed."""

from __future__ import annotations

import pytest

from chat.changes import changes
from chat.models import ApiToken, ChatMessageHistory, Mentor, SessionContextVersion

from ..clients import Socket, TalkMaker
from ..expecting import problem
from .conftest import A_TIME, CALIFORNIA, NEW_YORK, ORDER, Caller, make_session, visitor


def path(session_id: object, query: str = "") -> str:
    return f"/api/v1/sessions/{session_id}/context/versions/{query}"


def test_every_value_with_its_author_and_what_it_changed(table: Socket, backend: Caller) -> None:
    door = SessionContextVersion.objects.values_list("door", flat=True)[0]
    asked = ChatMessageHistory.objects.filter(role="user").order_by("sequence").values_list("pk", flat=True)
    by = {
        "author": "token:backend",
        "door": door,
        "created_at": A_TIME,
        "token_id": ApiToken.objects.get().pk,
        "token_name": "backend",
        "address_class": "loopback",
        "signed_by": None,
    }
    assert backend(path(table.session_id)) == (
        200,
        {
            "results": [
                {
                    "number": 1,
                    "message_id": str(asked[0]),
                    "client_context": CALIFORNIA,
                    "verified_keys": ["productGroup", "stateCode"],
                    **by,
                    "diff": {
                        "added": [
                            {"pointer": "/productGroup", "value": "LICENSING"},
                            {"pointer": "/stateCode", "value": "CA"},
                        ],
                        "removed": [],
                        "changed": [],
                    },
                },
                {
                    "number": 2,
                    "message_id": str(asked[2]),
                    "client_context": NEW_YORK,
                    "verified_keys": ["productGroup", "stateCode"],
                    **by,
                    "diff": {
                        "added": [],
                        "removed": [],
                        "changed": [
                            {"pointer": "/productGroup", "before": "LICENSING", "after": "CE"},
                            {"pointer": "/stateCode", "before": "CA", "after": "NY"},
                        ],
                    },
                },
                {
                    "number": 3,
                    "message_id": str(asked[4]),
                    "client_context": ORDER,
                    "verified_keys": ["productGroup", "order"],
                    **by,
                    "diff": {
                        "added": [{"pointer": "/order", "value": {"items": [{"sku": "a"}]}}],
                        "removed": [{"pointer": "/stateCode", "value": "NY"}],
                        "changed": [],
                    },
                },
            ],
            "next": None,
            "previous": None,
        },
    )


def test_a_visitors_value_has_no_verified_keys(talk: TalkMaker, backend: Caller) -> None:
    one = talk()
    one.say("Hello.", metadata={"a": 1})
    (row,) = backend(path(one.session_id))[1]["results"]
    assert (row["author"], row["verified_keys"]) == ("anonymous", [])


def test_pages_keep_the_diff_across_their_edge(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, context={"n": 1})
    session.context_version = 5
    session.save()
    for n in range(2, 6):
        new = {"number": n, "text": f'{{"n":{n}}}', "value": {"n": n}}
        SessionContextVersion.objects.create(session=session, author="token:backend", **new)
    one = backend(path(session.pk, "?limit=2"))[1]
    two = backend(one["next"])[1]
    assert [row["number"] for row in [*one["results"], *two["results"]]] == [1, 2, 3, 4]
    assert two["results"][0]["diff"]["changed"] == [{"pointer": "/n", "before": 2, "after": 3}]
    assert backend(two["previous"])[1]["results"] == one["results"]
    assert backend(two["next"])[1]["next"] is None


def test_a_context_that_was_never_set_has_no_versions(backend: Caller, coach: Mentor) -> None:
    body = {"results": [], "next": None, "previous": None}
    assert backend(path(make_session(coach).pk)) == (200, body)


def test_only_the_tenants_readers_see_versions(
    backend: Caller, reader: Caller, mallory: Caller, coach: Mentor
) -> None:
    session = make_session(coach, user="", context={"a": 1})
    assert reader(path(session.pk))[0] == 200
    assert mallory(path(session.pk)) == (404, problem(404, "not_found"))
    assert Caller({})(path(session.pk)) == (401, problem(401, "authentication_required"))
    assert Caller(visitor(session.pk))(path(session.pk)) == (403, problem(403, "permission_denied"))
    assert backend(path("x")) == (404, problem(404, "not_found"))
    for query in ("limit=500", "before=x", "page=2"):
        pointer = f"?{query.partition('=')[0]}"
        assert backend(path(session.pk, f"?{query}")) == (400, problem(400, "invalid_filter", pointer))


# --- changes


@pytest.mark.parametrize(
    ("before", "after", "added", "removed", "changed"),
    [
        ({}, {}, [], [], []),
        ({"a": 1}, {"a": 1.0}, [], [], []),
        ({"a": 1}, {"a": True}, [], [], ["/a"]),
        ({"a": None}, {}, [], ["/a"], []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}, ["/a/d"], ["/a/c"], []),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, ["/a/2"], [], ["/a/1"]),
        ({"a": {}}, {"a": []}, [], [], ["/a"]),
        ({"a/b": 1, "~": 1}, {"a/b": 2, "": 1}, ["/"], ["/~0"], ["/a~1b"]),
        ({"x" * 300: 1}, {}, [], ["/" + "x" * 300], []),
    ],
)
def test_what_changed_is_told_by_the_smallest_pointer(
    before: dict[str, object],
    after: dict[str, object],
    added: list[str],
    removed: list[str],
    changed: list[str],
) -> None:
    found = changes(before, after)
    lists = (found.added, found.removed, found.changed)
    assert [[one["pointer"] for one in entries] for entries in lists] == [added, removed, changed]
