"""Every path that Django serves: what stands in its answers, by who asks; or why nothing of a context can.

A path that is in neither table fails the test.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .cast import WHOLE

OPERATOR, USER, EXPORT = WHOLE - {"operator"}, WHOLE - {"user"}, WHOLE - {"export"}
# Of what the model was given, which is not `model`.
PROMPT = {"export", "user", "mask", "plain"}
NOTHING: set[str] = set()
# Values by key, where what is masked is left out as well: of the dashboard the first ones, and of coverage those
# that no prompt names.
OPENED, EXAMPLES = {"export", "model", "user", "plain"}, {"plain"}

STAFF = ("token", "staff", "superuser")
PAGES = ("staff", "superuser")
VISITOR = ("visitor",)


class Asked(NamedTuple):
    """A request, and the canaries in its answer."""

    readers: tuple[str, ...]
    seen: set[str]
    query: str = ""
    method: str = "GET"
    body: Any = None
    content_type: str = "application/json"
    status: int = 200


ORGS = "api/ai-mentor/orgs/<str:org>/"
USERS = f"{ORGS}users/<str:user_id>/"
SESSIONS = "api/v1/sessions/<str:session_id>/"
CONVERSATIONS = "v1/api_core/conversations"
METADATA = f"{CONVERSATIONS}/<str:conv_id>/metadata"
REPORTS = "api/reports/platforms/<str:key>/"
_KEEP = {"plain": "QZplain 4"}  # a write whose answer is the context in force

_MESSAGES = [
    Asked(STAFF, OPERATOR),
    Asked(VISITOR, USER),
    Asked(VISITOR, USER, method="POST", body={"content": "Noted."}, status=201),
    Asked(("token",), OPERATOR, method="POST", body={"content": "Noted."}, status=201),
]
_MESSAGE = [Asked(STAFF, OPERATOR), Asked(VISITOR, USER)]
_DEBUG = [Asked(STAFF, PROMPT), Asked(VISITOR, NOTHING, status=404)]
_DIFF = [
    *(Asked(STAFF, OPERATOR, query=query) for query in ("", "?from=0&to=1", "?from=1&to=2")),
    *(Asked(VISITOR, USER, query=query) for query in ("", "?from=0&to=1")),
]
_METADATA = [
    Asked(("token",), OPERATOR),
    Asked(("token",), {"plain"}, method="POST", body={"metadata": _KEEP}),
]
_TEXT = [Asked(STAFF, EXPORT)]
_TASKS = [Asked(("token",), NOTHING)]

WALKED: dict[str, list[Asked]] = {
    # --- sessions, messages, contexts
    "api/v1/sessions/": [Asked(STAFF, OPERATOR)],
    SESSIONS: [Asked(STAFF, OPERATOR)],
    f"{SESSIONS}context/": [
        Asked(STAFF, OPERATOR),
        Asked(VISITOR, USER),
        Asked(VISITOR, USER, method="PATCH", body=_KEEP, content_type="application/merge-patch+json"),
        Asked(("staff",), OPERATOR, method="PATCH", body=_KEEP, content_type="application/merge-patch+json"),
        Asked(VISITOR, NOTHING, method="DELETE"),
        Asked(("token",), {"plain"}, method="PUT", body={"client_context": _KEEP}),
    ],
    f"{SESSIONS}context/versions/": [Asked(STAFF, OPERATOR)],
    f"{SESSIONS}context/versions/<str:number>/": _MESSAGE,
    f"{SESSIONS}context/diff": _DIFF,
    f"{SESSIONS}context/diff/": _DIFF,
    f"{SESSIONS}messages": _MESSAGES,
    f"{SESSIONS}messages/": _MESSAGES,
    f"{SESSIONS}messages/<str:message_id>": _MESSAGE,
    f"{SESSIONS}messages/<str:message_id>/": [
        *_MESSAGE,
        Asked(("token",), NOTHING, method="DELETE", status=204),
    ],
    f"{SESSIONS}messages/<str:message_id>/debug_data": _DEBUG,
    f"{SESSIONS}messages/<str:message_id>/debug_data/": _DEBUG,
    "api/v1/messages/<uuid:message_id>/prompt/": [Asked(STAFF, PROMPT)],
    "api/v1/messages/<str:message_id>/explain/": [
        Asked(STAFF, OPERATOR),
        Asked(VISITOR, NOTHING, status=401),
    ],
    f"{SESSIONS}preview/": [
        Asked(("token", "superuser"), OPERATOR, method="POST", body={"prompt": "And now?"}),
        Asked(("token",), OPERATOR, method="POST", body={"message_id": "{answer}"}),
    ],
    # --- Quickchat's
    CONVERSATIONS: [Asked(("token",), OPERATOR)],
    f"{CONVERSATIONS}/": [Asked(("token",), OPERATOR)],
    METADATA: _METADATA,
    f"{METADATA}/": _METADATA,
    # --- ibl.ai's
    f"{USERS}sessions/": [Asked(STAFF, OPERATOR)],
    f"{ORGS}sessions/": [
        Asked(("token",), NOTHING, method="POST", body={"mentor": "guard"}),
    ],
    f"{USERS}sessions/<str:session_id>/": [
        Asked(STAFF, OPERATOR),
        Asked(VISITOR, USER),
        Asked(("token",), OPERATOR, method="PUT", body={"title": "A title"}),
    ],
    f"{ORGS}sessions/<str:session_id>/": [Asked(STAFF, OPERATOR), Asked(VISITOR, USER)],
    f"{USERS}sessions/<str:session_id>/download-session": _TEXT,
    f"{USERS}sessions/<str:session_id>/download-session/": _TEXT,
    f"{USERS}recent-messages/": [Asked(STAFF, OPERATOR)],
    f"{USERS}sessionid/": [Asked(STAFF, NOTHING)],
    "api/v1/<str:org>/<str:mentor>/<str:user_id>/sessions/": [Asked(STAFF, OPERATOR)],
    # --- analytics
    "analytics/": [
        Asked(PAGES, OPENED, query="?tenant=demo"),
        Asked(PAGES, OPENED, query="?by=context.canary_operator", status=403),
    ],
    "analytics/values/": [
        Asked(PAGES, {"plain"}, query="?key=context.plain"),
        Asked(PAGES, NOTHING, query="?key=context.canary_operator", status=403),
    ],
    "analytics/coverage/": [Asked(PAGES, EXAMPLES, query="?mentor=guard&tenant=demo")],
    "analytics/sessions/<uuid:session_id>/": [Asked(PAGES, OPERATOR)],
    "analytics/messages/<uuid:message_id>/": [Asked(PAGES, OPERATOR)],
    "api/v1/analytics/conversations/": [Asked(STAFF, OPERATOR)],
    "api/v1/analytics/context/keys/": [Asked(STAFF, NOTHING)],
    "api/v1/analytics/context/values/": [
        Asked(STAFF, {"plain"}, query="?key=plain"),
        Asked(STAFF, {"export"}, query="?key=canary_export"),
        Asked(STAFF, NOTHING, query="?key=canary_operator.deep", status=403),
        Asked(STAFF, NOTHING, query="?key=canary_masked&of=message_context", status=403),
    ],
    "api/v1/analytics/breakdown/": [
        Asked(STAFF, {"model"}, query="?by=context.canary_model"),
        Asked(STAFF, NOTHING, query="?by=message_context.canary_operator", status=403),
        Asked(STAFF, NOTHING, query="?by=context.canary_masked", status=403),
    ],
    "api/v1/analytics/coverage/": [Asked(STAFF, EXAMPLES, query="?mentor=guard")],
    "api/analytics/conversations/": [Asked(STAFF, NOTHING)],
    "api/analytics/messages/": [Asked(STAFF, NOTHING)],
    "api/analytics/messages/details/": [Asked(STAFF, OPERATOR, query="?session_id={session}")],
    "api/v2/messages/details/": [Asked(STAFF, OPERATOR, query="?session_id={session}")],
    "api/ai-analytics/orgs/<str:org>/users/<str:user_id>/chat-history/": [Asked(STAFF, OPERATOR)],
    # --- exports
    "api/v1/exports/": [
        Asked(STAFF, NOTHING, query="?tenant=demo"),
        Asked(
            ("token",),
            NOTHING,
            method="POST",
            body={"filter": {"context.canary_export": "QZ"}},
            status=403,
        ),
    ],
    "api/v1/exports/stream.csv": [
        Asked(STAFF, EXPORT, query="?tenant=demo"),
        Asked(STAFF, EXPORT, query="?tenant=demo&grain=session"),
        Asked(STAFF, NOTHING, query="?tenant=demo&columns=stored_content,content"),
        Asked(STAFF, NOTHING, query="?tenant=demo&columns=sequence&context_keys=canary_export"),
        Asked(STAFF, {"operator"}, query="?tenant=demo&columns=sequence&context_keys=canary_operator.deep.0"),
        Asked(STAFF, {"mask"}, query="?tenant=demo&columns=sequence&context_keys=canary_masked"),
        Asked(STAFF, NOTHING, query="?tenant=demo&context.canary_operator__exists=true", status=403),
        Asked(STAFF, NOTHING, query="?tenant=demo&message_context.canary_export=QZ", status=403),
    ],
    "api/v1/exports/<uuid:export_id>/": [Asked(STAFF, NOTHING)],
    "api/v1/exports/<uuid:export_id>/manifest/": [Asked(STAFF, NOTHING)],
    "api/v1/exports/<uuid:export_id>/download/": [Asked(STAFF, EXPORT)],
    "api/v1/exports/<uuid:export_id>/file/<str:signature>/": [Asked(("nobody",), EXPORT)],
    "api/v1/export-schedules/": [Asked(STAFF, NOTHING)],
    f"{USERS}tasks/sessions/<uuid:session_id>/": [Asked(("token",), NOTHING, method="POST")],
    f"{USERS}sessions/<uuid:session_id>/tasks/<str:task_id>/": [
        Asked(("token",), EXPORT),
        Asked(("token",), EXPORT, query="?to_csv=true"),
    ],
    f"{USERS}export-chathistory/": [Asked(("token",), NOTHING, method="POST")],
    f"{USERS}downloads/tasks/<str:task_id>/": [Asked(("token",), EXPORT)],
    f"{USERS}tasks/<str:task_id>": _TASKS,
    f"{USERS}tasks/<str:task_id>/": _TASKS,
    REPORTS: [Asked(STAFF, NOTHING)],
    f"{REPORTS}<str:report_name>": [Asked(STAFF, NOTHING)],
    f"{REPORTS}<str:report_name>/": [Asked(STAFF, NOTHING)],
    f"{REPORTS}<str:task_id>/download": [
        Asked(STAFF, EXPORT),
        Asked(STAFF, EXPORT, query="?format=json"),
    ],
    f"{REPORTS}<str:task_id>/download/": [Asked(STAFF, EXPORT)],
    # --- pages
    "": [Asked((*PAGES, "nobody"), NOTHING, query="?tenant=demo&mentor=guard")],
    "embed/<str:tenant>/<str:mentor>/": [Asked((*PAGES, "visitor"), NOTHING)],
    "platform/<str:tenant>/<str:mentor>/": [Asked(("nobody",), NOTHING)],
    "metrics": [Asked(("nobody",), NOTHING)],
    "admin/chat/session/": [
        Asked(PAGES, NOTHING),
        Asked(PAGES, NOTHING, query="?q=context.canary_operator__exists%3Dtrue"),
    ],
    "admin/chat/session/<path:object_id>/change/": [Asked(PAGES, OPERATOR)],
    "admin/chat/session/<path:object_id>/history/": [Asked(PAGES, NOTHING)],
    "admin/chat/session/<path:object_id>/delete/": [Asked(("superuser",), NOTHING)],
    "admin/chat/chatmessagehistory/": [Asked(PAGES, NOTHING)],
    "admin/chat/chatmessagehistory/<path:object_id>/change/": [Asked(PAGES, OPERATOR)],
    "admin/chat/chatmessagehistory/<path:object_id>/history/": [Asked(PAGES, NOTHING)],
    "admin/chat/mentor/<path:object_id>/change/": [Asked(PAGES, NOTHING)],
    "admin/chat/refusal/": [Asked(PAGES, NOTHING)],
    "admin/exports/export/": [Asked(PAGES, NOTHING)],
    "admin/exports/export/<path:object_id>/change/": [Asked(PAGES, NOTHING)],
}

SAYS_NOTHING: dict[str, str] = {
    "api/v1/erasures/": "which user is erased, and how far that is",
    "api/v1/erasures/<uuid:erasure_id>/": "which user is erased, and how far that is",
    "healthz": "the state of the process",
    "healthz/live": "the state of the process",
    "healthz/ready": "the state of the process",
    "favicon.ico": "a picture",
    "api/openapi.json": "the same for everybody",
    "api/asyncapi.yaml": "the same for everybody",
    "api/docs/": "the same for everybody",
    f"{USERS}clear-chathistory": "removes and has no body",
    f"{USERS}clear-chathistory/": "removes and has no body",
    f"{REPORTS}new": "asks for a report, which is walked",
    f"{REPORTS}new/": "asks for a report, which is walked",
    "api/v1/export-schedules/<uuid:schedule_id>/": "what is to be exported, and when",
}
# Of the admin: forms, Django's own pages, redirects to a page that is walked.
SAYING_NOTHING = (
    *("admin/", "admin/login/", "admin/logout/", "admin/password_change/", "admin/password_change/done/"),
    *("admin/autocomplete/", "admin/jsi18n/", "admin/r/", "admin/auth/", "admin/chat/tenant/"),
    *("admin/chat/apitoken/", "admin/chat/mentor/", "admin/chat/refusal/", "admin/exports/"),
    *("admin/chat/session/add/", "admin/chat/chatmessagehistory/add/"),
    "admin/chat/chatmessagehistory/<path:object_id>/delete/",
    "admin/chat/session/<path:object_id>/",
    "admin/chat/chatmessagehistory/<path:object_id>/",
    *("admin/^(?P<app_label>", "admin/(?P<url>"),
)
