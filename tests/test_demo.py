"""`manage.py demo`: the first user of a configuration, and how to sign in."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from chat.models import Mentor

pytestmark = pytest.mark.django_db


@pytest.fixture
def var(tmp_path: Path, settings: Any) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


def demo(*options: str) -> str:
    out = StringIO()
    call_command("demo", *options, stdout=out)
    return out.getvalue()


def test_the_demo_has_two_mentors_that_let_anybody_in(var: Path) -> None:
    demo()
    mentors = Mentor.objects.filter(tenant__key="demo").values_list(
        "slug", "greeting_method", "allow_anonymous"
    )
    assert list(mentors) == [
        ("licensing-coach", "proactive_response", True),
        ("maths-tutor", "proactive_prompt", True),
    ]


def test_the_demo_says_where_to_go_and_how_to_sign_in(var: Path) -> None:
    said = demo("--url", "http://127.0.0.1:8123/")
    password = (var / "admin-password").read_text().strip()
    assert "Chat     http://127.0.0.1:8123/\n" in said
    assert "Admin    http://127.0.0.1:8123/admin/\n" in said
    assert f"as admin, password {password} (shown once" in said
    assert User.objects.get(is_superuser=True).check_password(password)
    assert (var / "admin-password").stat().st_mode & 0o777 == 0o600


def test_a_second_demo_keeps_everything_and_does_not_show_the_password(var: Path) -> None:
    demo()
    Mentor.objects.filter(slug="maths-tutor").update(name="Ours")
    said = demo()
    assert f"as admin, password in {var / 'admin-password'}" in said
    assert (var / "admin-password").read_text().strip() not in said
    assert Mentor.objects.filter(name="Ours").exists()


def test_the_demo_leaves_an_administrator_who_is_there_alone(var: Path, admin_user: User) -> None:
    assert "with your own superuser's account" in demo()
    assert list(User.objects.all()) == [admin_user]
    assert not (var / "admin-password").exists()


def test_the_demo_uses_a_password_that_is_kept_already(var: Path) -> None:
    (var / "admin-password").write_text("kept-from-before\n")
    demo()
    assert User.objects.get().check_password("kept-from-before")


def test_the_demo_takes_nobody_s_account_over(var: Path) -> None:
    User.objects.create_user("admin", password="mine")
    assert "nobody can: admin is not a superuser" in demo()
