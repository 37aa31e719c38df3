"""The URLs that Django serves; sockets and event streams are routed in asgi.py."""

from __future__ import annotations

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    # What browsers ask for on their own where a page names none, as the admin's do.
    path("favicon.ico", RedirectView.as_view(url=static("icons/favicon.svg"))),
    path("admin/", admin.site.urls),
    path("", include("mentor_project.openapi")),
    path("", include("chat.urls")),
    path("", include("analytics.urls")),
    path("", include("exports.urls")),
]
