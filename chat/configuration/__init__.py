"""Tenants, mentors and tokens declared in one JSON document, and made so.

The document says what must be; what it leaves out stays as it is, and nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import models, transaction

from chat import strict_json
from chat.configuration import keys
from chat.configuration.document import MentorSpec, Mistakes, TenantSpec, TokenSpec, read
from chat.models import ApiToken, Mentor, Tenant

__all__ = ["Change", "Mistakes", "Outcome", "apply"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line about one record: + made, ~ changed, = left as it is."""

    sign: Literal["+", "~", "="]
    record: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.record}" + (f": {self.note}" if self.note else "")


@dataclass(slots=True)
class Outcome:
    """What was done, and the secrets of tokens that were made without one given, by token name."""

    changes: list[Change] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return any(change.sign != "=" for change in self.changes)


def apply(text: bytes | str, *, environ: Mapping[str, str], check: bool = False) -> Outcome:
    """Make it so, in one transaction; with `check` only find out what would be done.

    `environ` is where "secret_env" looks. Raises Mistakes, all of them at once.
    """
    document = read(text, environ)
    outcome = Outcome()
    with transaction.atomic():
        for spec in document.tenants:
            _apply_tenant(spec, environ, outcome)
        transaction.set_rollback(check)
    return outcome


def _apply_tenant(spec: TenantSpec, environ: Mapping[str, str], outcome: Outcome) -> None:
    given = spec.model_dump(exclude={"key", "mentors", "tokens", "signing_keys"}, exclude_unset=True)
    tenant = Tenant.objects.select_for_update().filter(key=spec.key).first()
    tenant = tenant or Tenant(key=spec.key, name=spec.key)
    outcome.changes.append(_store(tenant, given, f"tenant {spec.key}"))
    for mentor in spec.mentors:
        outcome.changes.append(_apply_mentor(tenant, mentor))
    for token in spec.tokens:
        outcome.changes.append(_apply_token(tenant, token, environ, outcome.secrets))
    for key in sorted(spec.signing_keys, key=lambda one: not one.revoked):  # what is revoked makes room
        sign, note = keys.apply_key(tenant, key.model_dump(), environ)
        outcome.changes.append(Change(sign, f"signing key {tenant.key}/{key.kid}", note))


def _apply_mentor(tenant: Tenant, spec: MentorSpec) -> Change:
    mentor = tenant.mentors.select_for_update().filter(slug=spec.slug).first()
    mentor = mentor or Mentor(tenant=tenant, slug=spec.slug, name=spec.slug)
    given = spec.model_dump(exclude={"slug"}, exclude_unset=True)
    return _store(mentor, given, f"mentor {tenant.key}/{spec.slug}")


def _store(row: models.Model, given: dict[str, Any], record: str) -> Change:
    """Save the row if it is new or a given value differs from its own."""
    changed = [name for name, value in given.items() if not strict_json.same(getattr(row, name), value)]
    for name in changed:
        setattr(row, name, given[name])
    if row._state.adding:
        row.save()
        return Change("+", record)
    if changed:
        row.save()
        return Change("~", record, f"{', '.join(changed)} changed")
    return Change("=", record)


def _apply_token(
    tenant: Tenant, spec: TokenSpec, environ: Mapping[str, str], secrets: dict[str, str]
) -> Change:
    record = f"token {tenant.key}/{spec.name}"
    secret = environ[spec.secret_env] if spec.secret_env else None
    digest = ApiToken.digest_of(secret) if secret else spec.sha256
    given = _token_values(tenant, spec)
    token = _named(tenant, spec.name).filter(revoked_at=None).select_for_update().first()
    if token is None:
        if _stays_revoked(tenant, spec.name, digest):
            return Change("=", record, "was revoked and stays so; another needs a new name or secret")
        if not digest:
            secrets[f"{tenant.key}/{spec.name}"] = ApiToken.issue(tenant, name=spec.name, **given)[1]
        else:
            _keep(tenant, spec.name, secret, digest, given)
        return Change("+", record)
    if digest and digest != token.digest:
        return _replace(token, secret, digest, given, record)
    return _store(token, given, record)


def _replace(token: ApiToken, secret: str | None, digest: str, given: dict[str, Any], record: str) -> Change:
    """Revoke the token and store its successor: what was signed with the old one stays attributable."""
    token.revoke()
    kept = {"scope": token.scope, "mentor": token.mentor, "expires_at": token.expires_at}
    _keep(token.tenant, token.name, secret, digest, kept | given)
    return Change("~", record, f"secret changed, {token.prefix}… revoked")


def _keep(tenant: Tenant, name: str, secret: str | None, digest: str, values: dict[str, Any]) -> None:
    """Store a token whose secret somebody else made; perhaps only its digest is known."""
    prefix = secret[:8] if secret else f"sha256:{digest[:5]}"
    ApiToken.objects.create(tenant=tenant, name=name, prefix=prefix, digest=digest, **values)


def _token_values(tenant: Tenant, spec: TokenSpec) -> dict[str, Any]:
    given: dict[str, Any] = spec.model_dump(include={"scope", "expires_at"}, exclude_unset=True)
    if "mentor" in spec.model_fields_set:
        given["mentor"] = tenant.mentors.get(slug=spec.mentor) if spec.mentor else None
    return given


def _named(tenant: Tenant, name: str) -> models.QuerySet[ApiToken]:
    return tenant.tokens.filter(name=name)


def _stays_revoked(tenant: Tenant, name: str, digest: str | None) -> bool:
    revoked = _named(tenant, name)
    return revoked.filter(digest=digest).exists() if digest else revoked.exists()
