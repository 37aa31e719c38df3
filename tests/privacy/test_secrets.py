"""What looks like a secret is told by its key's name or by a card's digits, and masked or left out before storing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import strict_json
from chat.models import ChatMessageHistoryExtra, Mentor, Session, SessionContextVersion
from chat.secret_keys import ALL, NOTHING, THE_END, is_card, seen_of, without_secrets

from ..clients import Socket, fetch
from ..model_server import ModelServer
from ..posting import bearer

HUNTER = "hunter2-is-it"
CHOSEN = "password Password userPassword user_password passwd db.passwd PWD passPhrase pass-word newpassword "
OTHERS = (
    "api_key apiKey APIKey x-api-key apikey API_KEYS ssn SSN userSsn socialSecurityNumber access_token "
    "token tokens accesstoken clientSecret client_secret private_key privateKeyPem cvv credentials "
    "Authorization "
)
PLAIN = (
    "stateCode passenger passport passed bypass compass token_count maxTokenCount tokenizer key keys "
    "keyboard monkey primaryKey public_key secretary secret_santa_day author authored_by classnames "
    "cardinal 鍵 productGroup "
)


def masked(value: Any, how: str = "mask") -> Any:
    return json.loads(without_secrets(strict_json.dumps({"a": value}), how)[0]).get("a", "gone")


@pytest.mark.parametrize("name", CHOSEN.split())
def test_of_what_people_choose_nothing_is_seen(name: str) -> None:
    assert seen_of(name) == NOTHING


@pytest.mark.parametrize("name", OTHERS.split())
def test_of_other_secrets_the_end_is_seen(name: str) -> None:
    assert seen_of(name) == THE_END


@pytest.mark.parametrize("name", PLAIN.split())
def test_plain_names_are_let_be(name: str) -> None:
    assert seen_of(name) == ALL


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"password": HUNTER}, {"password": "•••"}),
        ({"api_key": "sk-abcdef123456"}, {"api_key": "•••3456"}),
        ({"api_key": "short"}, {"api_key": "•••"}),
        ({"ssn": 123456789}, {"ssn": "•••6789"}),
        ({"ssn": "•••6789"}, {"ssn": "•••6789"}),
        ({"password": None, "token": True, "secret": ""}, {"password": None, "token": True, "secret": ""}),
        ({"token": {"value": ["abcdefghijkl", None]}}, {"token": {"value": ["•••ijkl", None]}}),
        ("4111 1111 1111 1111", "•••1111"),
        ("Pay with 3782-822463-10005, please.", "Pay with •••0005, please."),
        (4111111111111111, "•••1111"),
        ("4111111111111112", "4111111111111112"),
        ("order-4111111111111111", "order-4111111111111111"),
        (1700000000000, 1700000000000),
        ("4111 11111111 1111", "4111 11111111 1111"),
        (0.4111111111111111, 0.4111111111111111),
    ],
)
def test_what_is_stored_of_it(sent: Any, stored: Any) -> None:
    assert masked(sent) == stored


def test_what_is_refused_is_not_there_and_in_a_list_leaves_its_place() -> None:
    text, told = without_secrets(
        '{"password":"x","stateCode":"CA","n":1.50,"l":["4111111111111111",1e2]}', "refuse"
    )
    assert text == '{"stateCode":"CA","n":1.50,"l":[null,1e2]}'
    assert [(one["code"], one["pointer"]) for one in told] == [
        ("secret_refused", "/metadata/password"),
        ("secret_refused", "/metadata/l/0"),
    ]


def test_a_name_written_with_escapes_is_read() -> None:
    assert without_secrets('{"\\u0070assword":"x"}', "mask")[0] == '{"password":"•••"}'


def test_without_a_wish_everything_is_kept() -> None:
    text = '{"password":"x","card":"4111111111111111"}'
    assert without_secrets(text, "keep") == (text, [])


# --- of any digits, and of any context


def by_the_book(digits: str) -> bool:
    """Luhn, as ISO/IEC 7812-1 annex B says it: every second digit from the right doubled, digit sums added."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@given(st.integers(min_value=10**14, max_value=10**15 - 1))
def test_of_ten_last_digits_one_makes_a_card(begin: int) -> None:
    numbers = [f"4{str(begin)[1:]}{last}" for last in range(10)]
    assert [is_card(number) for number in numbers] == [by_the_book(number) for number in numbers]
    assert sum(map(is_card, numbers)) == 1


@given(st.text(alphabet="0123456789", min_size=1, max_size=24))
def test_a_card_passes_luhn_and_has_a_networks_length(digits: str) -> None:
    assert not is_card(digits) or (by_the_book(digits) and 13 <= len(digits) <= 19)


PLAIN_NAMES = st.sampled_from(["stateCode", "productGroup", "plan", "order", "key", "a.b", "page title", "é"])
PLAIN_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**12), max_value=10**12 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(alphabet=st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="\0"), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(PLAIN_NAMES, PLAIN_VALUES, max_size=6), st.sampled_from(["mask", "refuse"]))
def test_a_plain_context_is_left_to_the_byte(context: dict[str, Any], how: str) -> None:
    text = strict_json.dumps(context)
    assert without_secrets(text, how) == (text, [])


@given(st.dictionaries(PLAIN_NAMES, PLAIN_VALUES, max_size=4), st.text("abcdefgh", min_size=1, max_size=30))
def test_masking_twice_is_masking_once(context: dict[str, Any], secret: str) -> None:
    once, told = without_secrets(strict_json.dumps({**context, "api_key": secret}), "mask")
    assert [one["pointer"] for one in told] == ["/metadata/api_key"]
    assert without_secrets(once, "mask") == (once, [])


# --- at the doors


@pytest.fixture
def guarded(coach: Mentor) -> Mentor:
    guard(coach, "mask")
    return coach


def guard(mentor: Mentor, how: str) -> None:
    mentor.tenant.secrets = how
    mentor.tenant.save()


def codes(reply: Any) -> list[tuple[str, str]]:
    return [(one["code"], one["pointer"]) for one in reply.start["context"]["warnings"]]


def everything() -> str:
    texts = [*SessionContextVersion.objects.values_list("text", flat=True)]
    texts += map(json.dumps, Session.objects.values_list("metadata", flat=True))
    texts += map(json.dumps, ChatMessageHistoryExtra.objects.values_list("metadata", flat=True))
    return " ".join(texts)


def test_neither_a_row_nor_the_model_sees_it(guarded: Mentor, alice: Socket, model: ModelServer) -> None:
    reply = alice.say("Hello.", metadata={"stateCode": "CA", "password": HUNTER})
    assert codes(reply) == [("secret_masked", "/metadata/password")]
    assert HUNTER not in everything()
    assert HUNTER not in str(model.received)
    assert Session.objects.get().client_context == {"stateCode": "CA", "password": "•••"}


def test_the_same_again_makes_no_version(guarded: Mentor, alice: Socket) -> None:
    first = alice.say("Hello.", metadata={"password": HUNTER})
    again = alice.say("Again.", metadata={"password": HUNTER})
    assert (first.version, again.version) == (1, 1)


def test_the_tenants_word_counts_from_the_next_message(coach: Mentor, alice: Socket) -> None:
    sent = {"stateCode": "CA", "password": HUNTER}
    assert codes(alice.say("Hello.", metadata=sent)) == []
    guard(coach, "refuse")
    assert codes(alice.say("Hello again.", metadata=sent)) == [("secret_refused", "/metadata/password")]
    assert Session.objects.get().client_context == {"stateCode": "CA"}
    guard(coach, "keep")
    assert codes(alice.say("And again.", metadata=sent)) == []


def test_a_patch_is_guarded_too(guarded: Mentor, alice: Socket, token: str) -> None:
    alice.say("Hello.", metadata={"stateCode": "CA"})
    path = f"/api/v1/sessions/{alice.session_id}/context/"
    headers = {**bearer(token), "Content-Type": "application/merge-patch+json"}
    status, told = fetch(alice.url, "PATCH", path, {"card": "4111 1111 1111 1111"}, headers)
    assert (status, told["warnings"][0]["code"]) == (200, "secret_masked")
    assert Session.objects.get().client_context == {"stateCode": "CA", "card": "•••1111"}


def test_a_preview_says_what_would_be_kept(guarded: Mentor, alice: Socket, token: str) -> None:
    alice.say("Hello.")
    path, wish = f"/api/v1/sessions/{alice.session_id}/preview/", {"metadata": {"password": HUNTER}}
    status, told = fetch(alice.url, "POST", path, {"prompt": "And now?", **wish}, bearer(token))
    assert (status, HUNTER in json.dumps(told), "secret_masked" in json.dumps(told)) == (200, False, True)
