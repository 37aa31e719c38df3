"""The HTTP paths of the chat that Django serves."""

from __future__ import annotations

from django.urls import path

from . import frames, pages
from .views import contexts, explain, ibl, making, messages, operations, quickchat, session_messages, sessions

# ibl.ai's; ids are read by the views, so that a malformed one is told as a missing one.
TENANT = "api/ai-mentor/orgs/<str:org>"
USER = f"{TENANT}/users/<str:user_id>"
SESSION = f"{USER}/sessions/<str:session_id>"
CONTEXT = "api/v1/sessions/<str:session_id>/context/"
# Quickchat's and Semantic Workbench's clients leave the last slash out.
CONVERSATIONS = "v1/api_core/conversations"
METADATA = f"{CONVERSATIONS}/<str:conv_id>/metadata"
MESSAGES = "api/v1/sessions/<str:session_id>/messages"
MESSAGE = f"{MESSAGES}/<str:message_id>"

urlpatterns = [
    path("", pages.chat_page),
    path("embed/<str:tenant>/<str:mentor>/", frames.frame),
    path("platform/<str:tenant>/<str:mentor>/", frames.frame),
    path(f"{USER}/sessions/", ibl.UserSessions.as_view()),
    path(f"{TENANT}/sessions/", making.Sessions.as_view()),
    path(f"{SESSION}/", ibl.UserSession.as_view()),
    path(f"{TENANT}/sessions/<str:session_id>/", ibl.UserSession.as_view()),
    path(f"{SESSION}/download-session", ibl.DownloadSession.as_view()),
    path(f"{SESSION}/download-session/", ibl.DownloadSession.as_view()),
    path(f"{USER}/recent-messages/", ibl.RecentMessages.as_view()),
    path(f"{USER}/sessionid/", ibl.SessionIds.as_view()),
    path(f"{USER}/clear-chathistory", ibl.ClearHistory.as_view()),
    path(f"{USER}/clear-chathistory/", ibl.ClearHistory.as_view()),
    path("api/v1/<str:org>/<str:mentor>/<str:user_id>/sessions/", ibl.MentorSessions.as_view()),
    path("api/v1/sessions/", sessions.SessionList.as_view()),
    path("api/v1/sessions/<str:session_id>/", sessions.SessionDetail.as_view()),
    path(CONTEXT, contexts.SessionContext.as_view()),
    path(f"{CONTEXT}versions/", sessions.ContextVersions.as_view()),
    path(f"{CONTEXT}versions/<str:number>/", contexts.ContextVersion.as_view()),
    path(f"{CONTEXT}diff", contexts.ContextDiff.as_view()),
    path(f"{CONTEXT}diff/", contexts.ContextDiff.as_view()),
    path(CONVERSATIONS, quickchat.Conversations.as_view()),
    path(f"{CONVERSATIONS}/", quickchat.Conversations.as_view()),
    path(METADATA, quickchat.Metadata.as_view()),
    path(f"{METADATA}/", quickchat.Metadata.as_view()),
    path(MESSAGES, session_messages.SessionMessages.as_view()),
    path(f"{MESSAGES}/", session_messages.SessionMessages.as_view()),
    path(MESSAGE, session_messages.SessionMessage.as_view()),
    path(f"{MESSAGE}/", session_messages.SessionMessage.as_view()),
    path(f"{MESSAGE}/debug_data", session_messages.MessageDebugData.as_view()),
    path(f"{MESSAGE}/debug_data/", session_messages.MessageDebugData.as_view()),
    path("api/v1/messages/<uuid:message_id>/prompt/", messages.MessagePrompt.as_view()),
    path("api/v1/messages/<str:message_id>/explain/", explain.MessageExplanation.as_view()),
    path("api/v1/sessions/<str:session_id>/preview/", explain.SessionPreview.as_view()),
    path("healthz", operations.live),
    path("healthz/live", operations.live),
    path("healthz/ready", operations.ready),
    path("metrics", operations.metrics),
]
