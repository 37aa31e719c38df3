"""Sessions and messages as they are read: in order, beside their context, with the prompt of each answer."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import ApiToken, ChatMessageHistory, Session, SessionContextVersion

from ..clients import Socket
from ..model_server import ModelServer
from .conftest import Told, message_address

Tell = Callable[..., Told]


def page_of(client: Client, told: Told, query: str = "") -> Any:
    response = client.get(told.address + query)
    assert response.status_code == 200
    return response


def test_messages_stand_in_order_beside_the_context_they_were_under(alice: Client, tell: Tell) -> None:
    told = tell().say("hi", "hello").context('{"stateCode":"CA"}').say("and here?", "in CA …", "thanks")
    runs = page_of(alice, told).context["page"].runs
    assert [(run.version.number, [said.words for said in run.said]) for run in runs] == [
        (0, ["hi", "hello"]),
        (1, ["and here?", "in CA …", "thanks"]),
    ]


def test_each_version_says_who_when_and_what_it_changed(alice: Client, tell: Tell) -> None:
    told = tell().context('{"a":1,"b":2}', author="anonymous").context('{"a":1,"b":3}', ["b"]).context("{}")
    versions = page_of(alice, told).context["page"].versions
    assert [(one.number, one.author, one.door, one.verified_keys) for one in versions] == [
        (3, "token:backend", "ws", []),
        (2, "token:backend", "ws", ["b"]),
        (1, "anonymous", "ws", []),
    ]
    assert [[(change.sign, change.label) for change in one.changes] for one in versions] == [
        [("−", "a"), ("−", "b")],
        [("±", "b")],
        [("+", "a"), ("+", "b")],
    ]


def test_a_version_says_where_it_came_from(alice: Client, tell: Tell, token: str) -> None:
    told = tell().context('{"a":1}').say("hi")
    message, own = told.last.pk, ApiToken.objects.get()
    SessionContextVersion.objects.update(token_id=own.pk, address_class="public-v6", message_id=message)
    page = page_of(alice, told).content.decode()
    assert f"token <b><bdi>backend</bdi> #{own.pk}</b> · address <b>public-v6</b>" in page
    assert f'with <a href="/admin/chat/chatmessagehistory/{message}/change/">a message</a>' in page
    SessionContextVersion.objects.update(token_id=41)
    assert "token <b>#41</b>" in page_of(alice, told).content.decode()


def test_changes_are_told_by_sign_and_word(alice: Client, tell: Tell) -> None:
    told = tell().context('{"stateCode":"CA"}').context('{"stateCode":"NY"}').say("hi")
    page = page_of(alice, told).content.decode()
    assert "± changed, was <bdi>CA</bdi>" in page


def test_the_context_in_force_is_shown_as_rows_and_raw(alice: Client, tell: Tell) -> None:
    told = tell().context('{"price":1.50,"plan":"gold"}', ["plan"])
    response = page_of(alice, told)
    reading = response.context["page"].in_force.reading
    assert [(row.label, row.text, row.verified) for row in reading.rows] == [
        ("price", "1.50", False),
        ("plan", "gold", True),
    ]
    assert reading.raw == '{\n  "price": 1.50,\n  "plan": "gold"\n}'
    assert html.escape(reading.raw) in response.content.decode()


def test_nothing_that_was_sent_becomes_markup(alice: Client, tell: Tell) -> None:
    hostile = "<script>alert(1)</script>"
    told = (
        tell(user_id=hostile).context(f'{{"{hostile}":"{hostile}"}}', [hostile], author=hostile).say(hostile)
    )
    for address in (told.address, message_address(told.last), "/admin/chat/session/"):
        page = alice.get(address).content.decode()
        assert hostile not in page
        assert html.escape(hostile) in page


def test_the_pages_bring_no_script_or_style_of_their_own_within(alice: Client, tell: Tell) -> None:
    told = tell().context('{"a":1}').say("hi", "hello")
    for address in (told.address, message_address(told.last)):
        page = alice.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", page)


def test_a_long_session_is_read_in_pages_of_a_hundred(alice: Client, tell: Tell) -> None:
    told = tell().say(*[f"words {number}" for number in range(1, 251)])
    page = page_of(alice, told).context["page"]
    assert (page.first, page.last, page.earlier, page.later) == (151, 250, 51, None)
    page = page_of(alice, told, "?from=51").context["page"]
    assert (page.first, page.last, page.earlier, page.later) == (51, 150, 1, 151)
    assert page.runs[0].said[0].words == "words 51"


@pytest.mark.parametrize("start", ["0", "9999", "-3", "x", "9" * 4000, "²"])
def test_a_page_that_is_not_there_is_one_that_is(alice: Client, tell: Tell, start: str) -> None:
    told = tell().say("hi", "hello")
    assert page_of(alice, told, f"?from={start}").context["page"].last == 2


def test_a_session_without_messages_says_so(alice: Client, tell: Tell) -> None:
    page = page_of(alice, tell()).content.decode()
    assert "Nobody has said anything yet." in page
    assert "The context was never set." in page


def test_very_long_words_are_folded_and_not_cut(alice: Client, tell: Tell) -> None:
    (run,) = page_of(alice, tell().say("a" * 4000 + "b" * 10)).context["page"].runs
    assert (run.said[0].words, run.said[0].rest) == ("a" * 4000, "b" * 10)


@pytest.mark.parametrize(("seconds", "words"), [(8, "running"), (-8, "its holder is gone")])
def test_a_running_turn_is_told_from_one_whose_holder_is_gone(
    alice: Client, tell: Tell, seconds: int, words: str
) -> None:
    told = tell().say("hi", "", status="streaming")
    told.session.turn_id, told.session.turn_holder = told.last.pk, "web-1"
    told.session.turn_lease_until = timezone.now() + timedelta(seconds=seconds)
    told.session.save()
    page = page_of(alice, told).content.decode()
    assert f">{words}</b>" in page
    assert "web-1" in page


def test_an_answer_says_how_it_came_about(alice: Client, tell: Tell) -> None:
    told = tell().say("hi").say("so far", status="interrupted")
    extra = told.last.extra
    extra.model, extra.prompt_tokens, extra.completion_tokens = "gpt-x", 83, 114
    extra.ttft_ms, extra.duration_ms, extra.error = 12.3, 1381.0, "model_cut"
    extra.save()
    for address in (told.address, message_address(told.last)):
        page = alice.get(address).content.decode()
        assert all(
            word in page for word in ("interrupted", "gpt-x", "83", "114", "12 ms", "1381 ms", "model_cut")
        )


def test_a_message_shows_its_snapshot_and_what_its_sender_attached(alice: Client, tell: Tell) -> None:
    told = tell().context('{"stateCode":"CA"}').say("hi", metadata={"href": "/tax"}).context("{}")
    context = alice.get(message_address(told.last)).context
    assert [(row.label, row.text) for row in context["snapshot"].rows] == [("stateCode", "CA")]
    assert [(row.label, row.text) for row in context["sent"].rows] == [("href", "/tax")]


def test_own_words_come_before_what_was_stored(alice: Client, tell: Tell) -> None:
    told = tell().say("hi\n\n<CONTEXT METADATA> …", text="hi")
    response = alice.get(message_address(told.last))
    assert response.context["said"].words == "hi"
    assert "hi\n\n&lt;CONTEXT METADATA&gt; …" in response.content.decode()


def raw_body(page: str) -> bytes:
    found = re.search(r'<summary>Raw body</summary><pre class="raw">(.*?)</pre>', page, re.DOTALL)
    assert found
    return html.unescape(found[1]).encode()


def test_the_prompt_shown_is_the_one_that_the_models_server_received(
    talk: Any, model: ModelServer, alice: Client, coach: Any
) -> None:
    one = talk()
    one.say("first <b>", metadata={"stateCode": "CA", "n": "a\nb </END CONTEXT METADATA>"})
    reply = one.say("second", metadata={"stateCode": "NY"})
    coach.refresh_from_db()
    coach.system_prompt = "Edited since."
    coach.save()
    response = alice.get(f"/admin/chat/chatmessagehistory/{reply.start['message_id']}/change/")
    assert raw_body(response.content.decode()) == model.received[-1]
    prompt = response.context["prompt"]
    assert prompt.system.words == "You coach."
    assert [part.role for part in prompt.history] == ["user", "assistant"]
    assert (prompt.asked.role, prompt.asked.words) == ("user", "second\n\n")
    assert "stateCode: NY" in prompt.asked.block


def test_page_content_that_was_not_kept_is_said_to_be_missing(
    live: str, coach: Any, model: ModelServer, alice: Client
) -> None:
    one = Socket(url=live, tenant="demo", mentor="coach")
    reply = one.say("what is this?", page_content="The page.")
    one.close()
    response = alice.get(f"/admin/chat/chatmessagehistory/{reply.start['message_id']}/change/")
    assert response.context["prompt"].stamped
    assert "The page." not in response.content.decode()


def test_a_prompt_that_cannot_be_rebuilt_says_so(alice: Client, tell: Tell) -> None:
    told = tell().say("hi", "hello")
    told.session.mentor.versions.all().delete()
    page = alice.get(message_address(told.last)).content.decode()
    assert "It cannot be rebuilt" in page


@pytest.mark.parametrize("who", ["alice", "root"])
def test_nobody_edits_or_adds(request: pytest.FixtureRequest, tell: Tell, who: str) -> None:
    client, told = request.getfixturevalue(who), tell().say("hi", "hello")
    for address in (told.address, message_address(told.last)):
        assert client.post(address, {"content": "forged", "user_id": "forged"}).status_code == 403
    for model in ("session", "chatmessagehistory"):
        assert client.get(f"/admin/chat/{model}/add/").status_code == 403
    assert ChatMessageHistory.objects.filter(content="forged").count() == 0


def test_a_superuser_deletes_a_session_with_all_it_holds(root: Client, tell: Tell) -> None:
    told, kept = tell().context('{"a":1}').say("hi", "hello"), tell().say("stay")
    address = told.address.replace("change", "delete")
    assert "Messages: 2" in root.get(address).content.decode()
    root.post(address, {"post": "yes"})
    assert list(Session.objects.all()) == [kept.session]
    assert list(ChatMessageHistory.objects.all()) == [kept.last]


def test_staff_delete_no_session_and_nobody_a_message(alice: Client, root: Client, tell: Tell) -> None:
    told = tell().say("hi")
    assert alice.post(told.address.replace("change", "delete"), {"post": "yes"}).status_code == 403
    address = message_address(told.last).replace("change", "delete")
    assert root.post(address, {"post": "yes"}).status_code == 403
