"""Who may do what. Every door proves its caller here before it reads or writes anything.

What a turn needs to know of its mentor and token is cached in the process and held against the rows in the
turn's first statement (see turns.begin), so a revoked token or an edited mentor counts at once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from django.utils.crypto import constant_time_compare

from . import origins
from .delivery import Plan
from .errors import AuthenticationFailed, AuthenticationRequired, NotFound, OriginNotAllowed, PermissionDenied
from .models import ApiToken, ChatMessageHistory, Mentor, Session, statements
from .payloads import PayloadWarning
from .policies import Reader
from .remembered import Remembered

NO_MENTOR = "There is no such mentor here, or it asks its users to sign in."
CACHE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MentorFacts:
    """A mentor as a turn needs it; `revision` tells whether this copy is still the row's."""

    id: int
    unique_id: UUID
    tenant_id: int
    tenant_key: str
    slug: str
    revision: int
    version: int
    system_prompt: str
    greeting_method: str
    greeting_text: str
    model: str
    model_parameters: dict[str, Any]
    history_window: int
    context_delivery: str
    plan: Plan
    keep_page_content: bool
    allow_anonymous: bool
    anonymous_continuation: str
    allowed_origins: tuple[str, ...]
    allow_metadata_in_prompt: bool = False


@dataclass(frozen=True, slots=True)
class TokenFacts:
    id: int
    name: str
    tenant_id: int
    mentor_id: int | None
    scope: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings to prove itself: nothing here is believed yet."""

    token: str = ""
    session_token: str = ""
    origin: str | None = None
    host: str = ""
    has_cookies: bool = False
    staff: User | None = None
    # Of what kind the client's address is: it proves nothing, and is kept beside what the request writes.
    address_class: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A proved caller. `user_id` is whom the caller acts for; None: any user of the tenant."""

    kind: Literal["token", "staff", "anonymous"]
    label: str
    token: TokenFacts | None = None
    tenant_ids: frozenset[int] | None = frozenset()
    user_id: str | None = ""
    session_token: str = ""

    @property
    def verified(self) -> bool:
        """A tenant's own server vouches for what it sends."""
        return self.kind == "token"

    @property
    def reads_as(self) -> Reader:
        """Which reader of a mentor's policy this is: a tenant's token reads as its staff does."""
        return "user" if self.kind == "anonymous" else "operator"


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller who may talk to this mentor."""

    caller: Caller
    mentor: MentorFacts
    warnings: tuple[PayloadWarning, ...] = ()


_mentors, _tokens = Remembered(CACHE_SECONDS), Remembered(CACHE_SECONDS)


def forget() -> None:
    """Drop what this process remembers of mentors and tokens."""
    _mentors.clear()
    _tokens.clear()


def cached_grant(credentials: Credentials, tenant: str, name: str, username: str) -> Grant | None:
    """The grant without a query, where all it needs is remembered; None says: ask access_mentor."""
    mentor = _mentors.get((tenant, name))
    token = _tokens.get(credentials.token) if credentials.token else None
    if mentor is None or credentials.staff or bool(credentials.token) != bool(token):
        return None
    try:
        return _grant(credentials, mentor, token, username)
    except (AuthenticationFailed, NotFound, PermissionDenied, OriginNotAllowed):
        return None  # what is remembered may be old: only fresh rows refuse


def access_mentor(credentials: Credentials, tenant: str, name: str, username: str) -> Grant:
    """The grant by fresh rows.

    Raises AuthenticationFailed, PermissionDenied, OriginNotAllowed, or NotFound: of an unknown mentor, another
    tenant's, and one that this caller may not see alike.
    """
    token = _fresh_token(credentials.token) if credentials.token else None
    mentor = _fresh_mentor(tenant, name)
    if mentor is None:
        raise NotFound(NO_MENTOR, pointer="/flow")
    return _grant(credentials, mentor, token, username)


def _fresh_token(secret: str) -> TokenFacts:
    row = statements.token(ApiToken.digest_of(secret))
    if row is None:
        raise AuthenticationFailed()
    facts = TokenFacts(*row)
    _tokens.put(secret, facts)
    return facts


def _named(tenant: str, name: str) -> QuerySet[Mentor]:
    mentors = Mentor.objects.filter(tenant__key=tenant, is_active=True).select_related("tenant")
    try:
        return mentors.filter(unique_id=UUID(name))
    except ValueError:
        return mentors.filter(Q(slug=name) | Q(name=name)).order_by("slug")


def open_mentor(tenant: str, name: str) -> Mentor | None:
    """The active mentor of this name that takes visitors."""
    if "\0" in tenant + name:  # PostgreSQL refuses to look for it
        return None
    return _best(list(_named(tenant, name).filter(allow_anonymous=True)[:2]), name)


def _best(found: list[Mentor], name: str) -> Mentor | None:
    """A slug counts before a name."""
    return next((mentor for mentor in found if mentor.slug == name), found[0] if found else None)


def _fresh_mentor(tenant: str, name: str) -> MentorFacts | None:
    mentor = _best(list(_named(tenant, name)[:2]), name)
    if mentor is None:
        return None
    shared = {f.name for f in dataclasses.fields(MentorFacts)} - {"tenant_key", "allowed_origins", "plan"}
    facts = MentorFacts(
        tenant_key=mentor.tenant.key,
        allowed_origins=tuple(mentor.allowed_origins),
        plan=Plan.of(mentor, mentor.tenant.secrets),
        **{name: getattr(mentor, name) for name in shared},
    )
    _mentors.put((tenant, name), facts)
    return facts


def _grant(credentials: Credentials, mentor: MentorFacts, token: TokenFacts | None, username: str) -> Grant:
    grant = _permitted(credentials, mentor, token, username)
    # Last: who may not see the mentor is not told, by its list of origins, that it is there.
    check_origin(credentials, mentor.allowed_origins)
    return grant


def _permitted(
    credentials: Credentials, mentor: MentorFacts, token: TokenFacts | None, username: str
) -> Grant:
    if token is not None:
        caller = token_caller(token, username or None)
        if token.tenant_id != mentor.tenant_id or token.mentor_id not in (None, mentor.id):
            raise NotFound(NO_MENTOR, pointer="/flow")
        if token.scope != ApiToken.Scope.WRITE_ALL:
            raise PermissionDenied("This needs a token with the scope write_all.")
        return Grant(caller, mentor)
    if credentials.staff is not None:
        caller = staff_caller(credentials.staff)
        if caller.tenant_ids is None or mentor.tenant_id in caller.tenant_ids:
            return Grant(caller, mentor, _not_acting_for(username, caller.user_id))
    if not mentor.allow_anonymous:
        raise NotFound(NO_MENTOR, pointer="/flow")
    return Grant(anonymous_caller(credentials.session_token), mentor, _not_acting_for(username, ""))


def _not_acting_for(username: str, user_id: str | None) -> tuple[PayloadWarning, ...]:
    if not username or username == user_id:
        return ()
    message = "Only a tenant's token may name the user it acts for."
    return ({"code": "username_ignored", "pointer": "/flow/username", "message": message},)


def token_caller(token: TokenFacts, user_id: str | None) -> Caller:
    return Caller("token", f"token:{token.name}", token, frozenset({token.tenant_id}), user_id)


def staff_caller(user: User) -> Caller:
    """A member of staff acts as themselves, never as an end user of that name; a superuser in every tenant."""
    tenants = None if user.is_superuser else frozenset(user.tenants.values_list("id", flat=True))
    name = f"staff:{user.username}"
    return Caller("staff", name, None, tenants, name)


def staff_of_session(key: str) -> User | None:
    """The member of staff whom Django signed in under this session key."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = get_user_model().objects.filter(pk=session.get(SESSION_KEY), is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):
        return None
    return user


def anonymous_caller(session_token: str) -> Caller:
    return Caller("anonymous", "anonymous", session_token=session_token)


def access_caller(credentials: Credentials, scope: str = "") -> Caller:
    """Who is asking, where no mentor is named: by API token, staff session or session token.

    Raises AuthenticationFailed, AuthenticationRequired, PermissionDenied.
    """
    if credentials.token:
        token = _fresh_token(credentials.token)
        _check_scope(token, scope)
        return token_caller(token, None)
    if credentials.staff is not None:
        return staff_caller(credentials.staff)
    if credentials.session_token:
        return anonymous_caller(credentials.session_token)
    raise AuthenticationRequired("This needs a token.")


def _check_scope(token: TokenFacts, scope: str) -> None:
    """Raises PermissionDenied. Reading needs no scope by name."""
    if scope and token.scope != scope:
        raise PermissionDenied(f"This needs a token with the scope {scope}.")
    if token.scope == ApiToken.Scope.ERASE_ALL != scope:
        raise PermissionDenied("This token may erase users, and nothing else.")


# --- sessions -------------------------------------------------------------------------------------------


def session_token(session_id: UUID) -> str:
    """What an anonymous client shows to continue this session: a signature, nothing is stored."""
    return Signer(salt="chat.session").signature(str(session_id))


def is_session_token(token: str, session_id: UUID) -> bool:
    try:
        return bool(Signer(salt="chat.session").unsign(f"{session_id}:{token}"))
    except BadSignature:
        return False


def check_session_token(caller: Caller, session_id: UUID) -> None:
    """A session token that is not this session's is refused, whether or not the session exists."""
    if caller.session_token and not is_session_token(caller.session_token, session_id):
        raise AuthenticationFailed("The session token is not this session's.")


def may_continue(
    caller: Caller, session_id: UUID, tenant_id: int, user_id: str, anonymous: bool, continuation: str
) -> bool:
    """Whether the session is the caller's own (or, for a tenant's token that names no user, the tenant's)."""
    if caller.kind == "anonymous":
        if not anonymous:
            return False
        return continuation == Mentor.Continuation.SESSION_ID or (
            bool(caller.session_token) and is_session_token(caller.session_token, session_id)
        )
    in_tenant = caller.tenant_ids is None or tenant_id in caller.tenant_ids
    return in_tenant and (caller.user_id is None or (not anonymous and caller.user_id == user_id))


def access_session(caller: Caller, session_id: UUID) -> Session:
    """The session, if it is this caller's; NotFound for a stranger's and a missing one alike."""
    check_session_token(caller, session_id)
    session = Session.objects.select_related("mentor").filter(id=session_id).first()
    if session is None or not _owns(caller, session):
        raise NotFound()
    return session


def access_answer(credentials: Credentials, answer: UUID, scope: str = "") -> ChatMessageHistory:
    """An answer of a session that is the caller's, from a page that may talk to its mentor; else NotFound.

    A caller without any proof passes where the mentor takes the bare session id for one.
    """
    proved = credentials.token or credentials.staff or credentials.session_token
    caller = access_caller(credentials, scope) if proved else anonymous_caller("")
    message = (
        ChatMessageHistory.objects.select_related("session__mentor", "extra")
        .filter(id=answer, role=ChatMessageHistory.Role.MENTOR)
        .first()
    )
    if message is None or not _owns(caller, message.session):
        raise NotFound()
    check_origin(credentials, tuple(message.session.mentor.allowed_origins))
    return message


def access_events(credentials: Credentials, session_id: UUID) -> Caller:
    """Who may be told what happens in this session: readers of its tenant, and whoever it is; else NotFound.

    A caller without any proof passes where the mentor takes the bare session id for one.
    """
    proved = credentials.token or credentials.staff or credentials.session_token
    caller = access_caller(credentials) if proved else anonymous_caller("")
    check_session_token(caller, session_id)
    session = Session.objects.select_related("mentor").filter(id=session_id).first()
    if session is None or not (may_inspect(caller, session) or _owns(caller, session)):
        raise NotFound()
    check_origin(credentials, tuple(session.mentor.allowed_origins))
    return caller


def may_inspect(caller: Caller, session: Session) -> bool:
    """Whether a tenant's token or member of staff may see how the session's answers came about."""
    if caller.kind == "anonymous":
        return False
    if caller.token and caller.token.mentor_id not in (None, session.mentor_id):
        return False
    return caller.tenant_ids is None or session.tenant_id in caller.tenant_ids


def _owns(caller: Caller, session: Session) -> bool:
    if caller.token and caller.token.mentor_id not in (None, session.mentor_id):
        return False
    continuation = session.mentor.anonymous_continuation
    return may_continue(
        caller, session.id, session.tenant_id, session.user_id, session.anonymous, continuation
    )


# --- origins ---------------------------------------------------------------------------------------------


def check_origin(credentials: Credentials, allowed: tuple[str, ...]) -> None:
    """Our own host or the mentor's list passes; no Origin passes only without cookies."""
    if credentials.origin is None:
        if credentials.has_cookies:
            raise OriginNotAllowed()
        return
    if origins.allows(allowed, credentials.origin) or origins.is_own(credentials.origin, credentials.host):
        return
    raise OriginNotAllowed()
