"""The frame that other sites' pages embed: one mentor, under a policy that names who may."""

from __future__ import annotations

import functools
import json
import posixpath
import re
import secrets
from pathlib import Path
from typing import Any, cast

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe
from django.views.i18n import JSONCatalog

from . import access, limits, origins
from .models import Mentor
from .pages import listed

THEMES = ("light", "dark")
_IMPORT = re.compile(r"^(?:import|export|\}).*\bfrom '(\.[^']+)';$", re.M)


@require_safe
@xframe_options_exempt
def frame(request: HttpRequest, tenant: str, mentor: str) -> HttpResponse:
    """`/embed/{tenant}/{mentor}/`, and ibl.ai's `/platform/…`; the other parameters are the frame's own to read.

    404 for a mentor that is not there, and for one that asks its users to sign in.
    """
    found = access.open_mentor(tenant, mentor)
    if found is None:
        return _missing(request)
    nonce = secrets.token_urlsafe(16)
    with translation.override(language_of(request)):
        response = render(request, "chat/frame.html", {**_shown(request, found), "nonce": nonce})
    policy = content_security_policy(request.get_host(), nonce, found.allowed_origins)
    response["Content-Security-Policy"] = policy
    response["Cache-Control"] = "no-store"  # a nonce is for one answer
    patch_vary_headers(response, ["Accept-Language"])
    return response


def _missing(request: HttpRequest) -> HttpResponse:
    """Said in the frame itself, whoever's page is around it: a refused frame is an empty box to its author."""
    response = render(request, "404.html", status=404)
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors *"
    )
    return response


def language_of(request: HttpRequest) -> str:
    """What `lang` asks for, else what the browser does, as far as there is a translation."""
    try:
        return translation.get_supported_language_variant(request.GET.get("lang", ""))
    except LookupError:
        return translation.get_language_from_request(request)


def content_security_policy(host: str, nonce: str, allowed: list[str]) -> str:
    """Our own script by its nonce, our own styles and sockets, and nothing else; framed by the mentor's list only."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'self'",
            f"connect-src 'self' ws://{host} wss://{host}",
            "img-src 'self' data:",
            "base-uri 'none'",
            f"frame-ancestors {origins.frame_ancestors(allowed)}",
            "form-action 'none'",
        ]
    )


@functools.cache
def modules(entry: str = "frame.js") -> tuple[str, ...]:
    """The scripts that a page's own imports, and theirs: a browser that is told of all fetches them at once."""
    found, todo = [entry], [entry]
    while todo:
        name = todo.pop()
        text = Path(str(finders.find(name))).read_text()
        named = [
            posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            for path in _IMPORT.findall(text)
        ]
        todo += [path for path in named if path not in found]
        found += [path for path in named if path not in found]
    return tuple(found[1:])


def _shown(request: HttpRequest, mentor: Mentor) -> dict[str, Any]:
    now, theme = limits.current(), request.GET.get("theme")
    chosen = {**listed(mentor), "show_context": mentor.show_context}
    return {
        "chosen": chosen,
        "theme": theme if theme in THEMES else "",
        "words": words(request),
        "modules": modules(),
        "page": {
            "mentor": chosen,
            "origins": mentor.allowed_origins,
            "limits": {
                "metadata_bytes": now.metadata_bytes,
                "prompt_bytes": now.prompt_bytes,
                "page_content_bytes": now.page_content_bytes,
            },
        },
    }


def words(request: HttpRequest) -> dict[str, Any]:
    """Django's catalogue of the page's scripts in the language that is active."""
    told = cast(HttpResponse, JSONCatalog.as_view(packages=["mentor_project"])(request))
    return {"catalog": json.loads(told.content)["catalog"]}
