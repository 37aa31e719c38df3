"""Signing keys in the admin: a public key is pasted, a shared secret is made here and shown in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from ..models import SigningKey
from ..models.signing import check_material, new_secret
from .revoking import Revocable
from .scope import TenantFilter

if TYPE_CHECKING:
    _Form = forms.ModelForm[SigningKey]
else:
    _Form = forms.ModelForm


class SigningKeyForm(_Form):
    material = forms.CharField(
        label="Public key",
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 4, "class": "prompt", "spellcheck": "false"}),
        help_text="For EdDSA: the PEM of your Ed25519 public key. For HS256 leave it empty: a secret is made.",
    )

    class Meta:
        model = SigningKey
        fields = ("tenant", "kid", "algorithm")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if not {"tenant", "kid", "algorithm"} <= cleaned.keys():
            return cleaned
        try:
            cleaned["material"] = self._material(cleaned)
            SigningKey.check_new(cleaned["tenant"], cleaned["kid"])
        except ValidationError as error:
            self.add_error(None, error)
        return cleaned

    def _material(self, cleaned: dict[str, Any]) -> str:
        if cleaned["algorithm"] == SigningKey.Algorithm.EDDSA:
            return check_material(cleaned["algorithm"], cleaned["material"])
        if cleaned["material"]:
            raise ValidationError({"material": "A secret is made here: leave this empty."})
        return new_secret()


class SigningKeyAdmin(Revocable):
    tenant_lookup = "tenant_id"
    issued_template = "admin/chat/signingkey/issued.html"
    revoke_template = "admin/chat/signingkey/revoke.html"
    looked_up_by = ("tenant", "algorithm__exact")
    named_by = "kid"
    form = SigningKeyForm
    list_display = ("kid", "tenant", "algorithm", "state", "created_at", "revoked_at")
    list_filter = (TenantFilter, "algorithm")
    list_select_related = ("tenant",)
    search_fields = ("kid",)

    def get_fields(self, request: HttpRequest, obj: SigningKey | None = None) -> Any:
        if obj is None:
            return ("tenant", "kid", "algorithm", "material")
        return ("tenant", "kid", "algorithm", "public_key", "state", "created_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A key never changes: another one is another key."""
        return self.get_fields(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: SigningKey, form: Any, change: bool) -> None:
        if change:
            return
        given = form.cleaned_data
        added = SigningKey.add(obj.tenant, kid=obj.kid, algorithm=obj.algorithm, material=given["material"])
        obj.pk, obj.material, obj.created_at = added.pk, added.material, added.created_at

    def has_secret(self, row: SigningKey) -> bool:
        return row.algorithm == SigningKey.Algorithm.HS256

    @admin.display(description="public key")
    def public_key(self, key: SigningKey) -> str:
        return (
            key.material
            if key.algorithm == SigningKey.Algorithm.EDDSA
            else "a secret, which is not shown again"
        )

    @admin.display(description="state")
    def state(self, key: SigningKey) -> str:
        return "revoked" if key.revoked_at else "valid"
