"""What our words are called on foreign wires: one table of roles, one of a vendor's query parameters."""

from __future__ import annotations

from typing import Final

# Who wrote a message. ibl.ai's clients show "human" at one side and everything else at the other.
ROLES: Final[dict[str, dict[str, str]]] = {
    "ibl": {"user": "human", "mentor": "ai", "operator": "ai", "service": "system"},
    # Semantic Workbench's.
    "workbench": {"user": "user", "mentor": "assistant", "operator": "assistant", "service": "service"},
    # A model's server is sent nothing that the service said.
    "openai": {"user": "user", "mentor": "assistant", "operator": "assistant"},
}

# ibl.ai's names of a filter's parameters. One that is sent empty counts as not sent: its clients do that.
IBL_PARAMETERS: Final = {
    "platform_key": "tenant",
    "mentor_unique_id": "mentor",
    "username": "user",
    "start_date": "from",
    "end_date": "to",
}
# What it knows and we do not: named in the answer's header X-Ignored-Parameters.
IBL_IGNORED: Final = frozenset({"usergroup_ids", "sentiment", "topic", "topics", "course_id", "departments"})

# Quickchat's names of our filters, and what has no meaning here. Those of its dates are not public.
QUICKCHAT_PARAMETERS: Final = {"query": "search", "created_from": "from", "created_to": "to"}
QUICKCHAT_IGNORED: Final = frozenset(
    {"assignee_type", "source", "resolution_status", "last_message_from", "last_message_to"}
)
