"""What those who inspect a conversation see of its contexts, by the policy of the mentor's schema."""

from __future__ import annotations

from typing import Protocol

from .access import Caller
from .policies import Policy, View, policy_of


class Governed(Protocol):
    """The fields of a mentor, or of one of its versions, that are read here."""

    context_schema: str
    schema_mode: str


def view_of(caller: Caller, *governed: Governed) -> View:
    """Staff see what operators see; a tenant's own server every key, and what is masked as everybody does.

    Of a version of the past and the mentor of today, what either hides is hidden.
    """
    views = [_policy(one).view("operator") for one in governed]
    hidden = frozenset[str]().union(*(view.hidden for view in views))
    masked = frozenset[str]().union(*(view.masked for view in views))
    return View(hidden if caller.kind == "staff" else frozenset(), masked)


def concealed_by(view: View, prompting: Governed) -> frozenset[str]:
    """The keys that stand in a prompt by a mark only: those hidden, and those that it has and that are masked now."""
    return view.hidden | (view.masked - _policy(prompting).view("model").masked)


def _policy(governed: Governed) -> Policy:
    return policy_of(governed.context_schema, governed.schema_mode)
