"""A token is for the session that first used it, and a newer one ends its time."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import leases, signatures, turns
from chat.errors import ChatError, TokenReplayed
from chat.leases import Outcome
from chat.models import Mentor, Session, Tenant, UsedToken
from chat.openings import Begun
from chat.tasks import roll_up

from ..clients import Socket, Stream, TalkMaker, is_last, new_session
from ..posting import make
from ..visits import CA, Visit, held
from .signing import FREE, BackEnd, stored


def code(talk: Socket | Stream, token: str, **more: Any) -> str:
    talk.put(talk.payload("No.", metadata_token=token, **more))
    return str(talk.get()["code"])


def test_sent_again_in_its_session_it_changes_nothing(visitor: Socket, ed: BackEnd) -> None:
    once = ed.sign()
    visitor.say("One.", metadata_token=once)
    again = visitor.say("Two.", metadata_token=once).start
    assert again["context"] == {"version": 1, "changed": False, "warnings": []}
    assert (stored(), UsedToken.objects.count()) == ([(1, FREE, ["plan"])], 1)


def test_sent_again_it_does_not_undo_what_the_tenant_set_since(
    talk: TalkMaker, visitor: Socket, ed: BackEnd, token: str
) -> None:
    once = ed.sign()
    visitor.say("One.", metadata_token=once)
    talk(token=token, session_id=visitor.session_id).say("Two.", metadata={"plan": "pro"})
    assert visitor.say("Three.", metadata_token=once).version == 2
    assert stored()[-1] == (2, {"plan": "pro"}, ["plan"])


def test_sent_again_the_unsigned_metadata_beside_it_still_count(visitor: Socket, ed: BackEnd) -> None:
    once = ed.sign()
    visitor.say("One.", metadata={"page": "/a"}, metadata_token=once)
    assert visitor.say("Two.", metadata={"page": "/a"}, metadata_token=once).version == 1
    assert visitor.say("Three.", metadata={"page": "/b"}, metadata_token=once).version == 2
    assert stored()[-1] == (2, {"page": "/b", "plan": "free"}, ["plan"])


def test_a_tenants_token_sends_both_again_and_changes_nothing(
    talk: TalkMaker, ed: BackEnd, token: str
) -> None:
    server, both = talk(token=token), {"metadata": {"page": "/a"}, "metadata_token": ed.sign()}
    server.say("One.", **both)
    assert server.say("Two.", **both).version == 1


def test_in_another_session_it_is_refused(talk: TalkMaker, visitor: Socket, backend: BackEnd) -> None:
    once = backend.sign()
    visitor.say("One.", metadata_token=once)
    assert code(talk(), once) == "token_replayed"
    assert Session.objects.count() == 1


def test_in_another_session_it_is_refused_also_when_the_first_is_gone(
    talk: TalkMaker, visitor: Socket, ed: BackEnd
) -> None:
    once = ed.sign()
    visitor.say("One.", metadata_token=once)
    Session.objects.all().delete()
    assert code(talk(), once) == "token_replayed"


def test_a_refused_payload_does_not_use_its_token_up(talk: TalkMaker, visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata_token=ed.sign(jti="a", iat=time.time()))
    old = ed.sign(jti="b", iat=time.time() - 60)
    assert code(visitor, old) == "token_superseded"
    assert talk().say("Elsewhere.", metadata_token=old).version == 1


def test_another_tenant_may_use_the_same_jti(
    talk: TalkMaker, visitor: Socket, ed: BackEnd, other: Tenant
) -> None:
    mentor = Mentor(tenant=other, slug="coach", name="Coach", allow_anonymous=True)
    mentor.save()
    visitor.say("One.", metadata_token=ed.sign(jti="1"))
    theirs = talk()
    theirs.tenant = "other"
    assert theirs.say("One.", metadata_token=BackEnd(other, mentor, "HS256").sign(jti="1")).version == 1


def test_an_older_one_than_that_in_force_comes_too_late(visitor: Socket, backend: BackEnd) -> None:
    now = time.time()
    visitor.say("One.", metadata_token=backend.sign({"plan": "pro"}, iat=now))
    assert code(visitor, backend.sign(iat=now - 1)) == "token_superseded"
    assert stored() == [(1, {"plan": "pro"}, ["plan"])]


def test_it_is_too_late_also_after_unsigned_writes(visitor: Socket, ed: BackEnd) -> None:
    now = time.time()
    visitor.say("One.", metadata_token=ed.sign({"plan": "pro"}, iat=now))
    visitor.say("Two.", metadata={"page": "/a"})
    assert code(visitor, ed.sign(iat=now - 1)) == "token_superseded"


def test_a_newer_one_of_the_same_value_counts_as_newer(visitor: Socket, ed: BackEnd) -> None:
    now = time.time()
    visitor.say("One.", metadata_token=ed.sign(iat=now - 10))
    assert visitor.say("Two.", metadata_token=ed.sign(iat=now)).version == 1
    assert code(visitor, ed.sign({"plan": "pro"}, iat=now - 5)) == "token_superseded"


def test_the_first_one_sent_again_after_a_newer_is_too_late(visitor: Socket, ed: BackEnd) -> None:
    now = time.time()
    first = ed.sign(iat=now - 10)
    visitor.say("One.", metadata_token=first)
    visitor.say("Two.", metadata_token=ed.sign({"plan": "pro"}, iat=now))
    assert code(visitor, first) == "token_superseded"


def test_two_of_the_same_second_count_in_their_order(visitor: Socket, ed: BackEnd) -> None:
    now = int(time.time())
    visitor.say("One.", metadata_token=ed.sign(iat=now))
    assert visitor.say("Two.", metadata_token=ed.sign({"plan": "pro"}, iat=now)).version == 2


def test_a_message_sent_again_gives_the_first_ones_outcome(visitor: Socket, ed: BackEnd) -> None:
    sent = {"client_message_id": "a-message-of-mine-1", "metadata_token": ed.sign()}
    first = visitor.say("One.", **sent)
    assert visitor.say("One.", **sent).generation_id == first.generation_id
    assert stored() == [(1, FREE, ["plan"])]
    assert code_again(visitor, ed) == "idempotency_mismatch"


def code_again(talk: Socket | Stream, ed: BackEnd) -> str:
    payload = talk.payload("One.", client_message_id="a-message-of-mine-1", metadata_token=ed.sign())
    talk.put(payload)
    frame = talk.get()
    assert is_last(frame)
    return str(frame["code"])


def test_what_has_expired_is_forgotten_and_no_more(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata_token=ed.sign(jti="young"))
    then = timezone.now() - timedelta(minutes=6)
    tenant = Tenant.objects.get(key="demo")
    UsedToken.objects.create(tenant=tenant, jti="old", session_id=new_session(), expires_at=then)
    roll_up()
    assert list(UsedToken.objects.values_list("jti", flat=True)) == ["young"]
    assert signatures.forget() == 0


@pytest.mark.services
def test_of_two_sessions_at_once_one_gets_it(transactional_db: None, coach: Mentor, ed: BackEnd) -> None:
    """Ten times: fourteen sessions bring the same token at the same moment, each in its own transaction."""
    for _ in range(10):
        token, sessions = ed.sign(), [UUID(str(make(coach, user="").pk)) for _ in range(14)]
        assert sorted(at_once(token, sessions, coach)) == ["applied", *["token_replayed"] * 13]


def at_once(token: str, sessions: list[UUID], mentor: Mentor) -> list[str]:
    from django.db import transaction

    outcomes: list[str] = []
    ready = threading.Barrier(len(sessions))
    names = signatures.audience(mentor.unique_id, mentor.tenant.key, mentor.slug)

    def bring(session_id: UUID) -> None:
        ready.wait()
        try:
            with transaction.atomic():
                Session.objects.select_for_update().get(pk=session_id)
                signatures.accept(token, signatures.Place(session_id, mentor.tenant_id, names, ""))
                time.sleep(0.01)
            outcomes.append("applied")
        except ChatError as error:
            assert isinstance(error, TokenReplayed)
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=bring, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.services
def test_two_first_messages_at_once_by_one_token(live: str, coach: Mentor, model: Any, ed: BackEnd) -> None:
    """By the real door: one message is answered under the signed plan, the other session does not exist."""
    token, heard = ed.sign(), []

    def say() -> None:
        talk = Socket(live, "demo", "coach")
        talk.put(talk.payload("One.", metadata_token=token))
        heard.append(talk.get().get("code", "accepted"))
        talk.close()

    threads = [threading.Thread(target=say) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["accepted", *["token_replayed"] * 7]
    assert (Session.objects.count(), stored()) == (1, [(1, FREE, ["plan"])])


@pytest.mark.services
def test_only_who_brings_a_token_pays_for_it(transactional_db: None, visit: Visit, ed: BackEnd) -> None:
    """A turn of a session that this process knows stays one prepared statement, which Django does not see."""
    assert spent(visit, None) == []
    told = spent(visit, ed.sign())
    assert [sql.split()[0] for sql in told].count("UPDATE") == 1
    assert len(told) <= 10


def spent(visit: Visit, token: str | None) -> list[str]:
    """What Django asked of the database to begin a turn."""
    opening = visit.opening(cached=CA)
    opening.payload.metadata_token = token
    with CaptureQueriesContext(connection) as queries:
        begun = turns.begin(opening)
    assert isinstance(begun, Begun)
    leases.finish(held(begun), Outcome("complete", "Hello."))
    return [query["sql"] for query in queries if query["sql"]]
