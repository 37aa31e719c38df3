"""Mis-settings are system checks with ids."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

POSTGRES = "postgresql://mentor@db/mentor"
GOOD = {
    "DATABASE_URL": POSTGRES,
    "REDIS_URL": "redis://redis:6379/0",
    "SECRET_KEY_GIVEN": True,
    "LLM_BASE_URL": "https://models.example/v1",
    "LLM_MODEL": "small",
}
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("E001", {"LLM_BASE_URL": "models.example/v1", "LLM_MODEL": "small"}),
    ("E001", {"LLM_BASE_URL": "ftp://models.example/v1", "LLM_MODEL": "small"}),
    ("E001", {"LLM_BASE_URL": "http:///v1", "LLM_MODEL": "small"}),
    ("W001", {"LLM_BASE_URL": "https://models.example/v1", "LLM_MODEL": ""}),
    ("E002", {"REDIS_URL": "http://redis:6379"}),
    ("E002", {"REDIS_URL": "redis:6379/0"}),
    ("E003", {"KEY_PREFIX": "two words"}),
    ("E003", {"KEY_PREFIX": "a/b"}),
    ("E004", {"LLM_IDLE_TIMEOUT": 0}),
    ("E004", {"LLM_TOTAL_TIMEOUT": float("nan")}),
    ("E004", {"DATABASE_THREADS": 0}),
    ("E004", {"DRAIN_SECONDS": -1}),
    ("E004", {"RETENTION_DAYS": -1}),
    ("E005", {"TURN_LEASE_SECONDS": 4, "TURN_HEARTBEAT_SECONDS": 2}),
    ("E006", {"LIMIT_METADATA_BYTES": -1}),
    ("E006", {"LIMIT_PROMPT_BYTES": 0}),
    ("E006", {"LIMIT_TURNS_PER_MINUTE_PER_TOKEN": -1}),
    ("E007", {"LIMIT_METADATA_BYTES": 600 * 1024}),
    ("E007", {"LIMIT_PROMPT_BYTES": 600 * 1024}),
    ("E008", {"LIMIT_FRAME_BYTES": 1024 * 1024 + 1}),
]
UNWISE: list[tuple[str, dict[str, Any]]] = [
    ("W002", {"REDIS_URL": ""}),
    ("W003", {"DEBUG": True}),
    ("W004", {"SECRET_KEY_GIVEN": False}),
    ("W005", {"ALLOWED_HOSTS": ["*"]}),
]


def ids(deploy: bool = False) -> set[str]:
    """What our own checks say; Django's are not ours to test."""
    found = [message.id for message in run_checks(include_deployment_checks=deploy)]
    return {id.removeprefix("mentor_project.") for id in found if id.startswith("mentor_project.")}


def set_all(settings: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


def test_the_defaults_are_silent() -> None:
    assert ids() == set()


def test_a_good_deployment_is_silent(settings: Any) -> None:
    set_all(settings, GOOD)
    assert ids(deploy=True) == set()


@pytest.mark.parametrize(("id", "values"), WRONG)
def test_it_tells_what_is_wrong_before_every_command(id: str, values: dict[str, Any], settings: Any) -> None:
    set_all(settings, values)
    assert ids() == {id}


@pytest.mark.parametrize(("id", "values"), UNWISE)
def test_it_tells_what_is_unwise_in_a_deployment(id: str, values: dict[str, Any], settings: Any) -> None:
    set_all(settings, {**GOOD, **values})
    assert ids(deploy=True) == {id}
    assert ids() == set()


def test_a_rate_of_zero_is_a_rate_switched_off(settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = settings.LIMIT_SOCKETS_PER_TOKEN = 0
    assert ids() == set()


def test_the_embedded_default_is_no_unwise_deployment(settings: Any) -> None:
    set_all(settings, {"DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY_GIVEN": False})
    assert ids(deploy=True) == set()
