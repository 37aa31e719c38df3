"""`manage.py apply` and what it reads: configuration as a file."""

from __future__ import annotations

import hashlib
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat import configuration
from chat.configuration import document
from chat.models import ApiToken, Mentor, Tenant

pytestmark = pytest.mark.django_db

SECRET = "a-secret-of-32-characters-at-least"
COACH = {"slug": "coach", "name": "Coach", "system_prompt": "Help.", "history_window": 4}
SITE = {"name": "site", "scope": "write_all", "secret_env": "SITE_TOKEN"}


def acme(**changes: Any) -> dict[str, Any]:
    return {"key": "acme", "name": "Acme", "time_zone": "Europe/Berlin", "mentors": [COACH], **changes}


def applied(*tenants: dict[str, Any], check: bool = False, **environ: str) -> list[str]:
    text = json.dumps({"tenants": tenants})
    return [str(change) for change in configuration.apply(text, environ=environ, check=check).changes]


def mistakes_in(text: str, **environ: str) -> list[str]:
    with pytest.raises(configuration.Mistakes) as caught:
        configuration.apply(text, environ=environ)
    return str(caught.value).splitlines()


def mistakes(*tenants: Any, **environ: str) -> list[str]:
    return mistakes_in(json.dumps({"tenants": tenants}), **environ)


def revoke(name: str) -> None:
    ApiToken.objects.get(name=name, revoked_at=None).revoke()


# --- what it makes and changes ----------------------------------------------------------------------------


def test_it_makes_what_is_not_there() -> None:
    assert applied(acme()) == ["+ tenant acme", "+ mentor acme/coach"]
    mentor = Mentor.objects.get(tenant__key="acme", slug="coach")
    assert (mentor.tenant.time_zone, mentor.name) == ("Europe/Berlin", "Coach")
    assert (mentor.system_prompt, mentor.history_window, mentor.version) == ("Help.", 4, 1)


def test_it_pins_keys() -> None:
    applied(acme())
    assert applied(acme(pinned_keys=["plan", "order.region"]))[0] == "~ tenant acme: pinned_keys changed"
    assert Tenant.objects.get().pinned_keys == ["plan", "order.region"]
    assert applied(acme())[0] == "= tenant acme"


def test_a_second_run_changes_nothing() -> None:
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    lines = applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    assert lines == ["= tenant acme", "= mentor acme/coach", "= token acme/site"]
    assert Mentor.objects.get().revision == 1


def test_it_names_every_key_that_changed() -> None:
    applied(acme())
    lines = applied(
        acme(name="ACME", mentors=[{**COACH, "system_prompt": "Teach.", "allow_anonymous": True}])
    )
    assert lines == [
        "~ tenant acme: name changed",
        "~ mentor acme/coach: system_prompt, allow_anonymous changed",
    ]
    assert Mentor.objects.get().version == 2


def test_what_the_file_leaves_out_stays() -> None:
    applied(acme())
    applied({"key": "acme", "mentors": [{"slug": "coach", "description": "New."}]})
    mentor = Mentor.objects.get()
    assert (mentor.tenant.name, mentor.name, mentor.system_prompt) == ("Acme", "Coach", "Help.")


def test_a_name_that_is_left_out_is_the_key() -> None:
    applied({"key": "acme", "mentors": [{"slug": "coach"}]})
    assert Tenant.objects.get().name == "acme"
    assert Mentor.objects.get().name == "coach"


def test_true_is_not_one_in_model_parameters() -> None:
    applied(acme(mentors=[{"slug": "coach", "model_parameters": {"logprobs": 1}}]))
    lines = applied(acme(mentors=[{"slug": "coach", "model_parameters": {"logprobs": True}}]))
    assert lines[1] == "~ mentor acme/coach: model_parameters changed"


def test_a_check_says_the_same_and_writes_nothing() -> None:
    assert applied(acme(), check=True) == ["+ tenant acme", "+ mentor acme/coach"]
    assert not Tenant.objects.exists()


def test_every_field_of_a_mentor_can_be_declared() -> None:
    declared = document.MentorSpec.model_fields
    editable = {f.name for f in Mentor._meta.concrete_fields if f.editable and not f.auto_created}
    assert set(declared) == editable - {"tenant", "updated_at"}


def test_what_is_not_declared_has_the_default_of_the_record() -> None:
    declared = document.MentorSpec(slug="coach", name="Coach").model_dump()
    record = Mentor(slug="coach", name="Coach")
    assert declared == {name: getattr(record, name) for name in declared}


@pytest.mark.parametrize("name", ["greeting_method", "context_delivery", "anonymous_continuation"])
def test_the_choices_are_those_of_the_record(name: str) -> None:
    choices = Mentor._meta.get_field(name).choices
    allowed = document.MentorSpec.model_fields[name].annotation
    assert list(allowed.__args__) == [value for value, _ in choices]  # type: ignore[union-attr]


# --- tokens -----------------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_environment() -> None:
    assert applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)[-1] == "+ token acme/site"
    token = ApiToken.objects.get()
    assert (token.digest, token.scope) == (ApiToken.digest_of(SECRET), "write_all")


def test_a_token_may_be_known_by_its_hash_only() -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    applied(acme(tokens=[{"name": "site", "scope": "read_all", "sha256": digest, "mentor": "coach"}]))
    token = ApiToken.objects.get()
    assert (token.digest, token.mentor) == (digest, Mentor.objects.get())


def test_a_token_without_a_secret_gets_one_once() -> None:
    text = json.dumps({"tenants": [acme(tokens=[{"name": "site", "scope": "write_all"}])]})
    secret = configuration.apply(text, environ={}).secrets["acme/site"]
    assert ApiToken.objects.get().digest == ApiToken.digest_of(secret)
    assert configuration.apply(text, environ={}).secrets == {}


def test_a_token_changes_in_place() -> None:
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    changed = {**SITE, "scope": "read_all", "mentor": "coach", "expires_at": "2031-01-31T00:00:00Z"}
    line = applied(acme(tokens=[changed]), SITE_TOKEN=SECRET)[-1]
    assert line == "~ token acme/site: scope, expires_at, mentor changed"
    assert applied(acme(tokens=[changed]), SITE_TOKEN=SECRET)[-1] == "= token acme/site"


def test_another_secret_revokes_the_old_one_and_keeps_the_rest() -> None:
    applied(acme(tokens=[{**SITE, "mentor": "coach"}]), SITE_TOKEN=SECRET)
    line = applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET[::-1])[-1]
    assert line == "~ token acme/site: secret changed, a-secret… revoked"
    new = ApiToken.objects.get(revoked_at=None)
    assert (new.digest, new.mentor) == (ApiToken.digest_of(SECRET[::-1]), Mentor.objects.get())


@pytest.mark.parametrize("token", [SITE, {"name": "site", "scope": "write_all"}])
def test_a_revoked_token_stays_revoked(token: dict[str, str]) -> None:
    applied(acme(tokens=[token]), SITE_TOKEN=SECRET)
    revoke("site")
    line = applied(acme(tokens=[token]), SITE_TOKEN=SECRET)[-1]
    assert line.startswith("= token acme/site: was revoked and stays so")
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_a_revoked_token_may_be_followed_by_one_with_another_secret() -> None:
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    revoke("site")
    assert applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET[::-1])[-1] == "+ token acme/site"


# --- mistakes ---------------------------------------------------------------------------------------------


def test_all_mistakes_come_at_once_and_nothing_is_written() -> None:
    bad_mentor = {"slug": "a b", "history_window": -1, "greeting_method": "wave", "colour": "red"}
    bad_tokens = [
        {"name": "site", "scope": "all", "mentor": "nobody"},
        {"scope": "read_all", "secret_env": "NOT_SET"},
    ]
    bad = {"key": "x", "time_zone": "Mars", "mentors": [COACH, bad_mentor], "tokens": bad_tokens}
    assert mistakes(acme(), bad) == [
        "/tenants/1/mentors/1/colour: is not a known key.",
        "/tenants/1/mentors/1/greeting_method: must be 'proactive_prompt' or 'proactive_response'.",
        "/tenants/1/mentors/1/history_window: must be 0 or more.",
        "/tenants/1/mentors/1/slug: must be letters, digits, hyphens and underscores.",
        "/tenants/1/time_zone: must be an IANA time zone such as Europe/Berlin.",
        "/tenants/1/tokens/0/mentor: this tenant has no mentor nobody.",
        "/tenants/1/tokens/0/scope: must be 'read_all', 'write_all' or 'erase_all'.",
        "/tenants/1/tokens/1/name: is required.",
        "/tenants/1/tokens/1/secret_env: NOT_SET must be set, to 20 characters or more.",
    ]
    assert not Tenant.objects.exists()


@pytest.mark.parametrize(
    ("mentor", "mistake"),
    [
        ({"history_window": "4"}, "history_window: must be a whole number."),
        ({"history_window": 501}, "history_window: must be 500 or less."),
        ({"name": ""}, "name: must not be empty."),
        ({"name": "n" * 201}, "name: must have at most 200 characters."),
        ({"system_prompt": None}, "system_prompt: must be a string."),
        ({"allow_anonymous": 1}, "allow_anonymous: must be true or false."),
        ({"starter_prompts": "Hi"}, "starter_prompts: must be a list."),
        ({"starter_prompts": ["Hi", 1]}, "starter_prompts/1: must be a string."),
        ({"model_parameters": []}, "model_parameters: must be an object."),
        ({"allowed_origins": ["https://a.org/x"]}, "allowed_origins/0: must be an origin such as"),
        ({"a/b~c": 1}, "a~1b~0c: is not a known key."),
    ],
)
def test_a_mentor_s_mistake_is_a_sentence_with_its_place(mentor: dict[str, Any], mistake: str) -> None:
    [line] = mistakes(acme(mentors=[{**COACH, **mentor}]))
    assert line.startswith(f"/tenants/0/mentors/0/{mistake}")


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ("plan", ": must be a list."),
        ([1], "/0: must be a string."),
        (["plan", "plan"], ": must have each key once."),
        ([f"key{n}" for n in range(9)], ": must have at most 8 items."),
        (["plan__gt"], "/0: must be written as plan."),
        (["order..region"], "/0: must be a key as filters write it, such as order.region."),
    ],
)
def test_keys_that_cannot_be_pinned(keys: Any, mistake: str) -> None:
    assert mistakes(acme(pinned_keys=keys)) == [f"/tenants/0/pinned_keys{mistake}"]


@pytest.mark.parametrize(
    ("token", "mistake"),
    [
        ({"sha256": "ABC"}, "sha256: must be 64 lower-case hexadecimal digits."),
        ({"sha256": "0" * 64, "secret_env": "SITE_TOKEN"}, "secret_env: cannot stand beside sha256."),
        ({"secret_env": "SHORT"}, "secret_env: SHORT must be set, to 20 characters or more."),
        ({"expires_at": "soon"}, "expires_at: must be a time such as 2030-01-31T00:00:00Z."),
        ({"expires_at": "2030-01-31T00:00:00"}, "expires_at: must name its time zone."),
        ({"name": "twice"}, "name: twice stands in this list twice."),
    ],
)
def test_a_token_s_mistake_is_a_sentence_with_its_place(token: dict[str, Any], mistake: str) -> None:
    tokens = [{"name": "twice", "scope": "read_all"}, {"name": "site", "scope": "read_all", **token}]
    assert mistakes(acme(tokens=tokens), SITE_TOKEN=SECRET, SHORT="abc") == [f"/tenants/0/tokens/1/{mistake}"]


def test_names_stand_once_in_their_list() -> None:
    assert mistakes(acme(), acme(mentors=[COACH, COACH])) == [
        "/tenants/1/key: acme stands in this list twice.",
        "/tenants/1/mentors/1/slug: coach stands in this list twice.",
    ]


def test_a_secret_belongs_to_one_token_of_the_file() -> None:
    other = {**SITE, "name": "other"}
    [line] = mistakes(acme(tokens=[SITE, other]), SITE_TOKEN=SECRET)
    assert line.startswith("/tenants/0/tokens/1/secret_env: this secret belongs to another token")


def test_a_secret_that_another_tenant_s_token_has_is_refused() -> None:
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    [line] = mistakes({"key": "rival", "tokens": [SITE]}, SITE_TOKEN=SECRET)
    assert line.startswith("/tenants/0/tokens/0/secret_env: this secret belongs to another token")


def test_a_secret_that_was_replaced_does_not_come_back() -> None:
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    applied(acme(tokens=[SITE]), SITE_TOKEN=SECRET[::-1])
    [line] = mistakes(acme(tokens=[SITE]), SITE_TOKEN=SECRET)
    assert line.endswith("or was revoked.")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{", "/: The file is not JSON (character 2)."),
        ("[]", "/: The file must be a JSON object."),
        ("{}", "/tenants: is required."),
        ('{"tenants": {}}', "/tenants: must be a list."),
        ('{"tenants": [1]}', "/tenants/0: must be an object."),
        ('{"tenants": [], "tenants": []}', "/tenants: This key occurs twice in its object."),
        (
            '{"tenants": [{"key": "a", "name": NaN}]}',
            "/tenants/0/name: A number must be finite",
        ),
    ],
)
def test_a_file_that_is_no_document_is_refused(text: str, mistake: str) -> None:
    [line] = mistakes_in(text)
    assert line.startswith(mistake)


# --- the command ------------------------------------------------------------------------------------------


def run(file: Path, *options: str) -> list[str]:
    out = StringIO()
    call_command("apply", str(file), *options, stdout=out)
    return out.getvalue().splitlines()


def written(folder: Path, *tenants: dict[str, Any]) -> Path:
    file = folder / "acme.json"
    file.write_text(json.dumps({"tenants": tenants}))
    return file


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    file = written(tmp_path, {"key": "acme", "tokens": [{"name": "site", "scope": "read_all"}]})
    assert run(file, "--check")[-1] == "checked only: nothing was written"
    *lines, last = run(file)
    assert lines == ["+ tenant acme", "+ token acme/site"]
    assert last.startswith("secret of acme/site, shown only now: mk_")
    assert run(file)[-1] == "nothing to change"


def test_the_example_of_the_documentation_can_be_applied(settings: Any) -> None:
    example = settings.BASE_DIR / "docs/examples/tenants.json"
    outcome = configuration.apply(example.read_bytes(), environ={"ACME_SITE_TOKEN": SECRET})
    assert [change.sign for change in outcome.changes] == ["+"] * 6
    assert list(outcome.secrets) == ["acme/reporting"]


def test_the_command_fails_with_the_mistakes(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        run(written(tmp_path, {"key": ""}))
    assert str(caught.value).endswith("/tenants/0/key: must be letters, digits, hyphens and underscores.")


def test_the_command_fails_without_its_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot be read: No such file or directory\."):
        run(tmp_path / "missing.json")
