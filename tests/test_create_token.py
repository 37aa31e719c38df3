"""`manage.py create_token`: one line on standard output, or a sentence on standard error and exit 1."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from chat.models import ApiToken, Mentor, Tenant

pytestmark = pytest.mark.usefixtures("coach")


def create_token(*options: str) -> str:
    out = StringIO()
    call_command("create_token", "--tenant", "demo", "--scope", "write_all", *options, stdout=out)
    return out.getvalue()


def test_it_prints_the_token_and_nothing_else() -> None:
    secret = create_token()
    assert secret.startswith("mk_")
    assert secret.count("\n") == 1
    token = ApiToken.objects.get(digest=ApiToken.digest_of(secret.strip()))
    assert (token.tenant.key, token.scope, token.mentor, token.expires_at) == (
        "demo",
        "write_all",
        None,
        None,
    )


def test_each_call_makes_another() -> None:
    assert create_token() != create_token()
    assert ApiToken.objects.count() == 2


def test_it_can_be_named_bound_to_a_mentor_and_short_lived(coach: Mentor) -> None:
    create_token("--name", "widget", "--mentor", "coach", "--expires-in-days", "2")
    token = ApiToken.objects.get(name="widget", mentor=coach)
    assert token.expires_at is not None
    assert timedelta(days=1) < token.expires_at - timezone.now() <= timedelta(days=2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tenant", "acme"], "There is no tenant acme."),
        (["--mentor", "nobody"], "demo has no mentor nobody."),
        (["--expires-in-days", "0"], "--expires-in-days must be from 1 to 36500."),
        (["--name", ""], "--name must have 1 to 200 characters."),
        (["--scope", "all"], "Error: argument --scope: invalid choice: 'all'"),
    ],
)
def test_a_mistake_is_a_sentence_and_makes_no_token(options: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        create_token(*options)
    assert str(caught.value).startswith(sentence)
    assert not ApiToken.objects.exists()


def test_another_tenant_s_mentor_is_not_found(other: Tenant) -> None:
    Mentor.objects.create(tenant=other, slug="theirs", name="Theirs")
    with pytest.raises(CommandError, match=r"demo has no mentor theirs\."):
        create_token("--mentor", "theirs")
