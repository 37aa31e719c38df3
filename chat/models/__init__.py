"""The records of the chat, split by noun."""

from .messages import ChatMessageHistory, ChatMessageHistoryExtra
from .refusals import Refusal
from .rollups import Rollup, RollupDay, RollupMark
from .sessions import Session, SessionContextVersion
from .tenants import ApiToken, Mentor, MentorVersion, Tenant

__all__ = [
    "ApiToken",
    "ChatMessageHistory",
    "ChatMessageHistoryExtra",
    "Mentor",
    "MentorVersion",
    "Refusal",
    "Rollup",
    "RollupDay",
    "RollupMark",
    "Session",
    "SessionContextVersion",
    "Tenant",
]
