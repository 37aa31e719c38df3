"""The URLs that Django serves; sockets and event streams are routed in asgi.py."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("mentor_project.openapi")),
    path("", include("chat.urls")),
    path("", include("analytics.urls")),
    path("", include("exports.urls")),
]
