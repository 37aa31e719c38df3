"""Many who post at once, beside a running turn: no gap, no message twice, and no turn that goes by what is old."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chat import access, messages, posts, turns
from chat.limits import Limits
from chat.models import ChatMessageHistory, Mentor, Session
from chat.openings import Begun

from .clients import Socket
from .model_server import Answer, ModelServer
from .posting import Poster, bearer, make
from .visits import Visit, elsewhere, end, held, stored


@pytest.fixture
def backend(live: str, coach: Mentor, token: str) -> Poster:
    return Poster(live, make(coach).pk, bearer(token))


@pytest.fixture
def many() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


def sequences(session_id: object) -> list[int]:
    rows = ChatMessageHistory.objects.filter(session_id=session_id).order_by("sequence")
    return list(rows.values_list("sequence", flat=True))


def test_twenty_who_post_at_once_have_a_place_each(backend: Poster, many: ThreadPoolExecutor) -> None:
    told = list(many.map(lambda n: backend.post(f"{n}.", id=str(n)), range(40)))
    assert sorted(one["sequence"] for one in told) == list(range(1, 41)) == sequences(backend.session_id)
    assert Session.objects.get().next_sequence == 41


def test_twenty_who_post_the_same_at_once_post_it_once(backend: Poster, many: ThreadPoolExecutor) -> None:
    told = list(many.map(lambda _: backend.at("POST", "", {"content": "Hi.", "id": "1"})[0], range(20)))
    assert sorted(told) == [201] + [409] * 19
    assert sequences(backend.session_id) == [1]


def test_twenty_who_remove_the_same_remove_it_once(backend: Poster, many: ThreadPoolExecutor) -> None:
    backend.post(id="1")
    assert sorted(many.map(lambda _: backend.remove("1"), range(20))) == [204] + [404] * 19


def test_posts_beside_a_running_turn_leave_no_gap(
    alice: Socket, backend: Poster, model: ModelServer, many: ThreadPoolExecutor
) -> None:
    there = backend.elsewhere(alice.session_id)
    model.enqueue(Answer([f"{n} " for n in range(20)], gap=0.05))
    alice.put(alice.payload("One."))
    start = alice.get()
    told = list(many.map(lambda n: there.post(f"{n}.", message_type="log"), range(20)))
    assert alice.rest()[-1]["status"] == "complete"
    assert alice.say("Two.").start["sequence"] == 24
    assert (start["sequence"], sorted(one["sequence"] for one in told)) == (2, list(range(3, 23)))
    assert sequences(alice.session_id) == list(range(1, 25))


def test_turns_and_posts_at_once(alice: Socket, backend: Poster, many: ThreadPoolExecutor) -> None:
    there, over = backend.elsewhere(alice.session_id), threading.Event()
    alice.say("First.")

    def post(_: int) -> int:
        count = 0
        while not over.is_set():
            there.post()
            count += 1
        return count

    posting = [many.submit(post, n) for n in range(4)]
    ends = [alice.say(f"{n}.", client_message_id=str(n)).end.get("status") for n in range(10)]
    over.set()
    count = 2 + 20 + sum(one.result() for one in posting)
    assert ends == ["complete"] * 10
    assert sequences(alice.session_id) == list(range(1, count + 1))
    asked = ChatMessageHistory.objects.filter(session_id=alice.session_id, role="mentor")
    for answer in asked:
        question = ChatMessageHistory.objects.get(session_id=answer.session_id, sequence=answer.sequence - 1)
        assert answer.content == f"You said: {question.text}"


# --- what a process remembers of a session


def post(visit: Visit, **more: object) -> ChatMessageHistory:
    draft = posts.from_server({"content": "Posted.", **more}, Limits())
    return messages.store_message(visit.grant.caller, visit.session, draft)


def remove_first(visit: Visit) -> None:
    first = ChatMessageHistory.objects.get(session_id=visit.session, sequence=1)
    messages.delete_message(visit.grant.caller, visit.session, str(first.pk))


MEANWHILE: list[Callable[[Visit], object]] = [post, remove_first, lambda visit: (post(visit), post(visit))]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=["post", "remove", "posts"])
def test_a_remembered_session_is_not_as_it_was_left(
    visit: Visit, meanwhile: Callable[[Visit], object], here: bool
) -> None:
    if here:
        meanwhile(visit)
    else:
        with elsewhere():
            meanwhile(visit)
    before = Session.objects.get(pk=visit.session).next_sequence
    begun = visit.turn(text="And?")
    assert begun.sequence == before + 1
    said = [words for _, words in begun.history]
    kept = ["Hello."] if meanwhile is remove_first else ["Hi", "Hello."]
    assert said == kept + ["Posted."] * (before - 3)
    assert visit.session in turns._as_left


@pytest.mark.django_db(transaction=True)
def test_a_removal_lets_no_turn_begin_by_what_is_remembered(visit: Visit) -> None:
    """Else one that reads at the very moment could send what is gone."""
    with elsewhere():
        remove_first(visit)
    assert turns._begin_as_left(visit.opening(text="And?")) is None


@pytest.mark.django_db(transaction=True)
def test_a_post_in_a_turn_does_not_end_it(visit: Visit) -> None:
    begun = visit.begin(text="And?")
    assert isinstance(begun, Begun)
    post(visit)
    remove_first(visit)
    end(held(begun), "complete")
    assert [one["status"] for one in stored(visit.session)["messages"]] == ["complete"] * 5


@pytest.mark.django_db(transaction=True)
def test_an_answer_whose_holder_died_can_be_removed(visit: Visit) -> None:
    begun = visit.begin(text="And?")
    assert isinstance(begun, Begun)
    end(held(begun), "lost")
    messages.delete_message(visit.grant.caller, visit.session, str(begun.answer))
    answer = ChatMessageHistory.objects.get(pk=begun.answer)
    assert (answer.status, answer.content, Session.objects.get().turn_id) == ("interrupted", "", None)


# --- the same queries for what is not yours and what is not there


@pytest.mark.parametrize("kind", ["token", "anonymous"])
def test_a_foreign_session_and_a_missing_one_cost_the_same_queries(
    coach: Mentor, others_token: str, kind: str
) -> None:
    from .test_same_queries import statements_of

    foreign, missing = make(coach), uuid.uuid4()
    for session_id in (foreign.pk, missing):
        assert Session.objects.filter(pk=session_id).exists() == (session_id == foreign.pk)

    def caller(session_id: uuid.UUID) -> access.Caller:
        if kind == "anonymous":
            return access.anonymous_caller(access.session_token(session_id))
        return access.access_caller(access.Credentials(token=others_token))

    def asked(session_id: uuid.UUID) -> list[str]:
        who = caller(session_id)
        return statements_of(lambda: messages.access_messages(who, session_id))

    one = asked(uuid.UUID(str(foreign.pk)))
    assert one == asked(missing)
    assert len(one) == 1
