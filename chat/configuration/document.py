"""The document of a configuration: its shape, and every mistake in it at once, each with its JSON pointer.

{"tenants": [{"key", "name"?, "time_zone"?, "pinned_keys"?, "retention_days"?, "secrets"?,
"mentors"?: [{"slug", any field of a mentor}],
"tokens"?: [{"name", "scope", "mentor"?, "expires_at"?, "secret_env"? | "sha256"?}],
"signing_keys"?: [{"kid", "public_key"? | "secret_env"?, "revoked"?}]}]}.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from chat import policies, schemas, strict_json
from chat.configuration import keys
from chat.errors import ChatError, Detail
from chat.models import ApiToken, Mentor
from chat.models.signing import KID
from chat.models.tenants import MOST_PINNED_KEYS, check_pinned_key
from chat.origins import check_pattern

MAX_BYTES = 16 * 1024 * 1024
MIN_SECRET = 20  # characters of a secret that somebody chose


class Mistakes(Exception):
    """The document has mistakes; nothing was written."""

    def __init__(self, details: list[Detail]) -> None:
        self.details = details
        super().__init__("\n".join(f"{detail['pointer'] or '/'}: {detail['message']}" for detail in details))


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError("must be an IANA time zone such as Europe/Berlin.")
    return name


def _each_once(keys: list[str]) -> list[str]:
    if len(set(keys)) < len(keys):
        raise ValueError("must have each key once.")
    return keys


def _schema_text(schema: object) -> object:
    """A schema may stand in the document as itself."""
    return strict_json.dumps(schema) if isinstance(schema, dict) else schema


def _known_schema(text: str) -> str:
    try:
        policies.check(text)
    except schemas.InvalidSchema as error:
        found = [f"{one['pointer'] or '/'}: {one['message']}" for one in error.details]
        raise ValueError(f"is not a schema that can be used. {' '.join(found)}") from None
    return text


Name = Annotated[str, Field(min_length=1, max_length=200)]
Slug = Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+\z", max_length=100)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class MentorSpec(_Spec):
    slug: Slug
    name: Name = ""
    description: str = ""
    system_prompt: str = ""
    greeting_method: Literal["proactive_prompt", "proactive_response"] = "proactive_response"
    greeting_text: str = ""
    starter_prompts: list[Annotated[str, Field(min_length=1)]] = []
    model: Annotated[str, Field(max_length=200)] = ""
    model_parameters: dict[str, Any] = {}
    history_window: Annotated[int, Field(ge=0, le=500)] = 20
    context_delivery: Literal["user_block", "system_prompt", "off"] = "user_block"
    context_keys: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(_each_once)] = []
    context_labels: dict[str, Annotated[str, Field(min_length=1)]] = {}
    context_budget: Annotated[int, Field(ge=0)] | None = None
    mark_verified: bool = False
    context_schema: Annotated[str, BeforeValidator(_schema_text), AfterValidator(_known_schema)] = ""
    schema_mode: Literal["enforce", "warn", "strip"] = "enforce"
    allow_metadata_in_prompt: bool = False
    keep_page_content: bool = False
    show_context: bool = False
    allow_anonymous: bool = False
    anonymous_continuation: Literal["session_token", "session_id"] = "session_token"
    allowed_origins: list[Annotated[str, AfterValidator(check_pattern)]] = []
    is_active: bool = True


class TokenSpec(_Spec):
    name: Name
    scope: Literal["read_all", "write_all", "erase_all"]
    mentor: Slug | None = None
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    secret_env: Annotated[str, Field(min_length=1)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")] | None = None


class SigningKeySpec(_Spec):
    kid: Annotated[str, Field(pattern=KID.pattern.replace(r"\Z", r"\z"))]
    public_key: Annotated[str, Field(min_length=1)] | None = None
    secret_env: Annotated[str, Field(min_length=1)] | None = None
    revoked: bool = False


class TenantSpec(_Spec):
    key: Slug
    name: Name = ""
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    pinned_keys: Annotated[
        list[Annotated[str, AfterValidator(check_pinned_key)]],
        Field(max_length=MOST_PINNED_KEYS),
        AfterValidator(_each_once),
    ] = []
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    secrets: Literal["keep", "mask", "refuse"] = "keep"
    mentors: list[MentorSpec] = []
    tokens: list[TokenSpec] = []
    signing_keys: list[SigningKeySpec] = []


class Document(_Spec):
    tenants: list[TenantSpec]


def read(text: bytes | str, environ: Mapping[str, str]) -> Document:
    """The document, checked against its shape, itself, the environment and what is stored already."""
    try:
        raw = strict_json.parse_object(text, max_bytes=MAX_BYTES, max_depth=64).value
    except ChatError as error:
        raise Mistakes([_of_file(detail) for detail in error.details]) from None
    mistakes = list(_conflicts(raw, environ))
    try:
        document = Document.model_validate(raw)
    except ValidationError as error:
        mistakes += [_detail(one["loc"], _sentence(one)) for one in error.errors()]
    if mistakes:
        raise Mistakes(sorted(mistakes, key=_place))
    return document


_SENTENCES = {
    "missing": "is required.",
    "extra_forbidden": "is not a known key.",
    "string_type": "must be a string.",
    "string_too_short": "must not be empty.",
    "string_too_long": "must have at most {max_length} characters.",
    "int_type": "must be a whole number.",
    "greater_than_equal": "must be {ge} or more.",
    "less_than_equal": "must be {le} or less.",
    "bool_type": "must be true or false.",
    "list_type": "must be a list.",
    "too_long": "must have at most {max_length} items.",
    "dict_type": "must be an object.",
    "model_type": "must be an object.",
    "literal_error": "must be {expected}.",
    "timezone_aware": "must name its time zone.",
    "value_error": "{error}",
}
_PATTERNS = {
    "sha256": "must be 64 lower-case hexadecimal digits.",
    "kid": "must be 1 to 64 letters, digits, dots, hyphens and underscores.",
}
_SLUG_SENTENCE = "must be letters, digits, hyphens and underscores."


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(str(error["loc"][-1]), _SLUG_SENTENCE)
    if error["type"].startswith("datetime"):
        return "must be a time such as 2030-01-31T00:00:00Z."
    return _SENTENCES.get(error["type"], f"{error['msg']}.").format(**error.get("ctx", {}))


def _of_file(detail: Detail) -> Detail:
    sentence = detail["message"].replace("The payload", "The file")
    return Detail(pointer=detail["pointer"], message=sentence)


def _detail(steps: tuple[str | int, ...], message: str) -> Detail:
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return Detail(pointer=pointer, message=message)


def _place(detail: Detail) -> list[tuple[int, str]]:
    """Sorts mistakes as they stand in the document's lists."""
    return [(int(step) if step.isdigit() else -1, step) for step in detail["pointer"].split("/")]


# What the shape cannot show is looked for in the raw document, so that all mistakes are found at once.

Steps = tuple[str | int, ...]
Item = tuple[Steps, dict[str, Any]]


def _conflicts(raw: dict[str, Any], environ: Mapping[str, str]) -> Iterator[Detail]:
    """Names that stand twice, and what does not fit the environment or the stored records."""
    secrets = _Secrets(environ)
    yield from _repeated(_objects(raw, "tenants"), "key")
    for steps, tenant in _objects(raw, "tenants"):
        mentors = list(_objects(tenant, "mentors", steps))
        tokens = list(_objects(tenant, "tokens", steps))
        yield from _repeated(mentors, "slug")
        yield from _repeated(tokens, "name")
        signing = list(_objects(tenant, "signing_keys", steps))
        yield from _repeated(signing, "kid")
        for place, mistake in keys.mistakes(str(tenant.get("key")), signing, environ):
            yield _detail(place, mistake)
        slugs = {mentor.get("slug") for _, mentor in mentors if isinstance(mentor.get("slug"), str)}
        for token_steps, token in tokens:
            yield from _unknown_mentor(str(tenant.get("key")), slugs, token, token_steps)
            yield from secrets.mistakes(str(tenant.get("key")), token, token_steps)


def _objects(parent: Mapping[str, Any], key: str, steps: Steps = ()) -> Iterator[Item]:
    items = parent.get(key)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield (*steps, key, index), item


def _repeated(items: Iterable[Item], key: str) -> Iterator[Detail]:
    seen: set[str] = set()
    for steps, item in items:
        if isinstance(name := item.get(key), str):
            if name in seen:
                yield _detail((*steps, key), f"{name} stands in this list twice.")
            seen.add(name)


def _unknown_mentor(tenant: str, slugs: set[Any], token: dict[str, Any], steps: Steps) -> Iterator[Detail]:
    slug = token.get("mentor")
    if not isinstance(slug, str) or slug in slugs:
        return
    if not Mentor.objects.filter(tenant__key=tenant, slug=slug).exists():
        yield _detail((*steps, "mentor"), f"this tenant has no mentor {slug}.")


class _Secrets:
    """The secrets that the document brings, each for one token only."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.seen: set[str] = set()

    def mistakes(self, tenant: str, token: dict[str, Any], steps: Steps) -> Iterator[Detail]:
        variable, digest = token.get("secret_env"), token.get("sha256")
        key = "sha256" if variable is None else "secret_env"
        if variable is not None and digest is not None:
            yield _detail((*steps, key), "cannot stand beside sha256.")
            return
        if isinstance(variable, str):
            secret = self.environ.get(variable, "")
            if len(secret) < MIN_SECRET:
                yield _detail((*steps, key), f"{variable} must be set, to {MIN_SECRET} characters or more.")
                return
            digest = ApiToken.digest_of(secret)
        if isinstance(digest, str):
            if digest in self.seen or _is_taken(digest, tenant, str(token.get("name"))):
                yield _detail((*steps, key), "this secret belongs to another token, or was revoked.")
            self.seen.add(digest)


def _is_taken(digest: str, tenant: str, name: str) -> bool:
    """Whether the secret is another token's, or one that this token had before."""
    holder = ApiToken.objects.filter(digest=digest).select_related("tenant").first()
    if holder is None:
        return False
    if (holder.tenant.key, holder.name) != (tenant, name):
        return True
    replaced = holder.tenant.tokens.filter(name=name, revoked_at=None)
    return holder.revoked_at is not None and replaced.exists()
