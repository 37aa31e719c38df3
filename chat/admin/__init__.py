"""The admin: tenants, mentors and tokens are kept here; conversations are inspected, never edited.

Django's permissions say what a member of staff may do, the tenants they are members of say where: rows of
other tenants are not there for them. Superusers see all. Only superusers delete: tokens, single sessions, and
tenants and mentors without sessions.
"""

from __future__ import annotations

from django.contrib import admin

from ..models import ApiToken, ChatMessageHistory, Erasure, Mentor, Refusal, Session, SigningKey, Tenant
from .erasures import ErasureAdmin
from .messages import MessageAdmin
from .refusals import RefusalAdmin
from .sessions import SessionAdmin
from .signing import SigningKeyAdmin
from .tenants import MentorAdmin, TenantAdmin
from .tokens import ApiTokenAdmin

admin.site.site_header = admin.site.site_title = "Mentor Context"
admin.site.index_title = "Administration"

admin.site.register(Tenant, TenantAdmin)
admin.site.register(Mentor, MentorAdmin)
admin.site.register(ApiToken, ApiTokenAdmin)
admin.site.register(SigningKey, SigningKeyAdmin)
admin.site.register(Session, SessionAdmin)
admin.site.register(ChatMessageHistory, MessageAdmin)
admin.site.register(Refusal, RefusalAdmin)
admin.site.register(Erasure, ErasureAdmin)
