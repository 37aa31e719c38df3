"""Who may listen to a session, and what each is told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from chat.models import ApiToken, Mentor, Session, Tenant
from tests.clients import Socket, fetch, request
from tests.expecting import refusal

from .doing import CA, Listen


def as_visitor(alice: Socket) -> str:
    """The session is a visitor's from now on: the proof that it is theirs."""
    from chat import access

    Session.objects.filter(pk=alice.session_id).update(anonymous=True, user_id="")
    return f"Session {access.session_token(uuid.UUID(alice.session_id))}"


def test_a_token_that_only_reads_listens(alice: Socket, listen: Listen, demo: Tenant) -> None:
    alice.say("Hello.")
    reading = ApiToken.issue(demo, scope="read_all", name="reader")[1]
    assert listen(proof=f"Bearer {reading}").hear(1) == ["idle"]


def test_a_visitor_listens_to_their_own_session_without_what_is_not_theirs(
    alice: Socket, listen: Listen, live: str
) -> None:
    visitor = Socket(live, "demo", "coach", session_id=alice.session_id)
    visitor.say("Hello.")
    ear = listen(proof=f"Session {visitor.session_token}")
    assert ear.hear(1) == ["idle"]
    visitor.say("And here?", metadata=CA)
    context, asked = ear.next(), ear.next()
    assert (context.data["author"], context.data["client_context"]) == (None, CA)
    assert asked.data["message"]["has_debug_data"] is False
    visitor.close()


def test_strangers_are_told_what_they_are_told_of_a_missing_session(
    alice: Socket, listen: Listen, others_token: str, tutor: Mentor, demo: Tenant
) -> None:
    alice.say("Hello.")
    bound = ApiToken.issue(demo, scope="read_all", name="bound", mentor=tutor)[1]
    missing = f"/api/v1/sessions/{uuid.uuid4()}/events"
    proofs = [(f"Api-Token {others_token}", ""), (f"Api-Token {bound}", ""), (None, "")]
    proofs += [(f"Api-Token {alice.token}", missing), (None, missing), (None, "/api/v1/sessions/x/events")]
    told = [listen(proof=proof, path=path).refusal() for proof, path in proofs]
    assert told == [(404, refusal(404, "not_found"))] * len(proofs)


@pytest.mark.parametrize("proof", ["Api-Token mk_wrong", "Session wrong", "Basic eDp5"])
def test_a_wrong_proof_is_refused(alice: Socket, listen: Listen, proof: str) -> None:
    alice.say("Hello.")
    ear = listen(proof=proof)
    assert ear.refusal() == (401, refusal(401, "authentication_failed"))
    assert ear.response.headers["WWW-Authenticate"] == "Api-Token"


def test_the_bare_id_is_enough_where_the_mentor_takes_it(
    alice: Socket, listen: Listen, coach: Mentor
) -> None:
    alice.say("Hello.")
    as_visitor(alice)
    assert listen(proof=None).refusal()[0] == 404
    coach.anonymous_continuation = Mentor.Continuation.SESSION_ID
    coach.save()
    assert listen(proof=None).hear(1) == ["idle"]


def test_staff_of_the_tenant_listen_from_our_own_pages(
    alice: Socket, listen: Listen, demo: Tenant, django_user_model: Any
) -> None:
    alice.say("Hello.")
    sara = django_user_model.objects.create_user("sara", is_staff=True)
    client = Client()
    client.force_login(sara)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    ours = {"Origin": alice.url, "Cookie": cookie}
    assert listen(proof=None, **ours).refusal()[0] == 404
    demo.members.add(sara)
    assert listen(proof=None, **ours).hear(1) == ["idle"]
    as_browsers_do = {"Sec-Fetch-Site": "same-origin", "Cookie": cookie}
    assert listen(proof=None, **as_browsers_do).hear(1) == ["idle"]
    for site in ("cross-site", "same-site", "none"):
        elsewhere = {"Sec-Fetch-Site": site, "Cookie": cookie}
        assert listen(proof=None, **elsewhere).refusal()[0] == 404
    assert listen(proof=None, Origin="https://evil.example", Cookie=cookie).refusal()[0] == 404


def test_a_page_elsewhere_is_judged_by_the_mentors_list(alice: Socket, listen: Listen, coach: Mentor) -> None:
    alice.say("Hello.")
    page = "https://shop.example"
    refused = listen(Origin=page)
    assert refused.refusal() == (403, refusal(403, "origin_not_allowed"))
    coach.allowed_origins = [page]
    coach.save()
    ear = listen(Origin=page)
    assert ear.hear(1) == ["idle"]
    assert ear.response.headers["Access-Control-Allow-Origin"] == page
    path = f"/api/v1/sessions/{alice.session_id}/events"
    with request(alice.url, "OPTIONS", path, headers={"Origin": page}) as asked:
        assert (asked.status, asked.headers["Access-Control-Allow-Methods"]) == (204, "GET, OPTIONS")
        assert "last-event-id" in asked.headers["Access-Control-Allow-Headers"]


def test_another_method_is_refused(alice: Socket) -> None:
    told = fetch(alice.url, "POST", f"/api/v1/sessions/{uuid.uuid4()}/events", {})
    assert told == (405, refusal(405, "method_not_allowed"))
