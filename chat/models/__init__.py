"""The records of the chat, split by noun."""

from .erasures import Erasure
from .messages import ChatMessageHistory, ChatMessageHistoryExtra, MessageDebug
from .refusals import Refusal
from .rollups import Rollup, RollupDay, RollupMark
from .sessions import KeptWrite, Session, SessionContextVersion
from .signing import SigningKey, UsedToken
from .tenants import ApiToken, Mentor, MentorVersion, Tenant

__all__ = [
    "ApiToken",
    "ChatMessageHistory",
    "ChatMessageHistoryExtra",
    "Erasure",
    "KeptWrite",
    "Mentor",
    "MentorVersion",
    "MessageDebug",
    "Refusal",
    "Rollup",
    "RollupDay",
    "RollupMark",
    "Session",
    "SessionContextVersion",
    "SigningKey",
    "Tenant",
    "UsedToken",
]
