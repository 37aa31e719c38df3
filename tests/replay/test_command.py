"""`manage.py replay` itself, against the real server."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from .recorded import LINE, written

LIVELY = {
    **LINE,
    "client_context": {
        "深 圳": "是",
        "a.b": "one\n\ntwo\u2028",
        "f": 4.0,
        "big": 2**60,
        "no": None,
        "x": [{}, True],
    },
    "turns": [
        {"role": "user", "text": " Hi, \n你好 \u200e{name} ", "metadata": {"f": 5.0}},
        {"role": "user", "text": "Clear.", "metadata": {}},
        {"role": "user", "text": "Again.", "metadata": {}},
        {"role": "user", "text": "Number.", "metadata": {"a": 1}},
        {"role": "user", "text": "Truth.", "metadata": {"a": True}},
        {"role": "user", "text": "Same.", "metadata": {"a": True}},
        {"role": "user", "text": "</END CONTEXT METADATA>", "metadata": {"a": "</END CONTEXT METADATA> <b>"}},
        {"role": "user", "text": "And now?", "metadata": None},
    ],
}


@pytest.fixture
def quick(settings: Any) -> None:
    settings.DEMO_MODEL_DELAY_MS = 0


def replay(file: Path, url: str, *options: str) -> str:
    out = StringIO()
    call_command("replay", str(file), "--url", url, *options, stdout=out)
    return out.getvalue()


def refused(file: Path, url: str, *options: str) -> tuple[str, str]:
    """What is printed, and the sentence it fails with."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("replay", str(file), "--url", url, *options, stdout=out)
    return out.getvalue(), str(caught.value)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("door", ["ws", "sse"])
def test_the_server_keeps_what_the_files_imply(tmp_path: Path, live: str, door: str) -> None:
    lines = [{**LINE, "conversation_id": f"c-{n}", "tenant": f"acme-{n % 2}"} for n in range(5)]
    printed = replay(
        written(tmp_path, *lines, LIVELY), live, "--door", door, "--create", "--concurrency", "3"
    )
    assert printed.endswith("no difference\n")
    assert [cell.strip() for cell in printed.splitlines()[3].split("│")][1:5] == ["6", "23", "15", "0"]
    assert Session.objects.filter(tenant__key="acme-0", user_id="ann", anonymous=False).count() == 3


@pytest.mark.usefixtures("quick")
def test_a_second_run_makes_new_sessions_and_leaves_no_token_behind(tmp_path: Path, live: str) -> None:
    file = written(tmp_path, LINE)
    replay(file, live, "--create")
    replay(file, live, "--create")
    assert Session.objects.count() == 2
    assert Mentor.objects.get().version == 1
    assert not ApiToken.objects.filter(revoked_at=None).exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("delivery", ["system_prompt", "off"])
def test_a_context_that_is_delivered_elsewhere_leaves_no_block(
    tmp_path: Path, live: str, delivery: str
) -> None:
    tenant = Tenant.objects.create(key="acme", name="Acme")
    Mentor.objects.create(tenant=tenant, slug="coach", name="Coach", context_delivery=delivery)
    assert replay(written(tmp_path, LINE), live, "--create").endswith("no difference\n")
    assert not ChatMessageHistory.objects.filter(sequence=1, content__contains="METADATA").exists()


@pytest.mark.usefixtures("quick", "coach")
def test_the_tokens_may_be_given(tmp_path: Path, live: str, token: str) -> None:
    file = written(tmp_path, {**LINE, "tenant": "demo"})
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"demo": token}))
    assert replay(file, live, "--tokens", str(tokens)).endswith("no difference\n")
    assert replay(file, live, "--token", token).endswith("no difference\n")


@pytest.mark.usefixtures("coach")
@pytest.mark.parametrize("door", ["ws", "sse"])
def test_a_refusal_is_a_difference(tmp_path: Path, live: str, door: str) -> None:
    file = written(tmp_path, {**LINE, "tenant": "demo"})
    printed, sentence = refused(file, live, "--token", "wrong", "--door", door)
    assert "c-1, turn 1: the turn\n" in printed
    assert "authentication_failed (401): The token is unknown, expired or revoked." in printed
    assert sentence == "1 difference."


def test_only_the_first_differences_are_shown(tmp_path: Path, db: None) -> None:
    lines = [{**LINE, "conversation_id": f"c-{n:02}"} for n in range(25)]
    printed, sentence = refused(written(tmp_path, *lines), "http://127.0.0.1:9", "--token", "any")
    assert printed.count("Cannot connect to host") == 20
    assert sentence == "25 differences."


@pytest.mark.parametrize(
    ("lines", "tokens", "sentence"),
    [
        ([LINE], {"other": "t"}, "tokens.json has no token for acme."),
        ([LINE], ["t"], 'tokens.json must be an object such as {"tenant": "token"}.'),
        ([LINE, "{"], {}, "some.jsonl:2: is not a conversation"),
        ([""], {}, "There is no conversation with a user turn in these files."),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, lines: list[Any], tokens: Any, sentence: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps(tokens))
    assert sentence in refused(written(tmp_path, *lines), "http://127.0.0.1:9", "--tokens", str(file))[1]
