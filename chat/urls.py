"""The HTTP paths of the chat that Django serves."""

from __future__ import annotations

from django.urls import path

from . import pages
from .views import ibl, making, messages, operations, sessions

# ibl.ai's; ids are read by the views, so that a malformed one is told as a missing one.
TENANT = "api/ai-mentor/orgs/<str:org>"
USER = f"{TENANT}/users/<str:user_id>"
SESSION = f"{USER}/sessions/<str:session_id>"

urlpatterns = [
    path("", pages.chat_page),
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
    path("api/v1/sessions/<str:session_id>/context/versions/", sessions.ContextVersions.as_view()),
    path("api/v1/messages/<uuid:message_id>/prompt/", messages.MessagePrompt.as_view()),
    path("healthz", operations.live),
    path("healthz/live", operations.live),
    path("healthz/ready", operations.ready),
    path("metrics", operations.metrics),
]
