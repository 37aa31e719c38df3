"""The HTTP paths of analytics."""

from __future__ import annotations

from django.urls import path

from .details import Details
from .pages import coverage, dashboard, explanation, session
from .views import ibl, own

urlpatterns = [
    path("analytics/", dashboard.dashboard),
    path("analytics/values/", dashboard.facet_values),
    path("analytics/coverage/", coverage.coverage_page),
    path("analytics/sessions/<uuid:session_id>/", session.session),
    path("analytics/messages/<uuid:message_id>/", explanation.explanation),
    path("api/v1/analytics/conversations/", own.Conversations.as_view()),
    path("api/v1/analytics/context/keys/", own.ContextKeys.as_view()),
    path("api/v1/analytics/context/values/", own.ContextValues.as_view()),
    path("api/v1/analytics/breakdown/", own.Breakdown.as_view()),
    path("api/v1/analytics/coverage/", own.Coverage.as_view()),
    path("api/analytics/conversations/", ibl.ConversationsChart.as_view()),
    path("api/analytics/messages/", ibl.MessagesList.as_view()),
    path("api/analytics/messages/details/", Details.as_view()),
    path("api/v2/messages/details/", Details.as_view()),
    path(
        "api/ai-analytics/orgs/<str:org>/users/<str:user_id>/chat-history/",
        ibl.ChatHistory.as_view(),
    ),
]
