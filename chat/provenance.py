"""Where a value of a context came from: the version that set it, and through it who, when and through which door."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from .models import ApiToken, SessionContextVersion
from .strict_json import same

AT_ONCE: Final = 100
MOST_READ: Final = 2_000
Version = SessionContextVersion


@dataclass(frozen=True, slots=True)
class Origin:
    """The version since which a key has the value that it has, in the layer that it is in.

    `or_earlier`: no version before this one was looked at, or is kept any more.
    """

    version: Version
    or_earlier: bool = False


def origins(version: Version) -> dict[str, Origin]:
    """Of each key of this version, in its order. Reads back until all are found, at most MOST_READ versions."""
    known = _layers(version)
    found = {key: Origin(version) for key in known}
    walked = version
    for earlier in _before(version):
        was = _layers(earlier)
        kept = {key: one for key, one in known.items() if key in was and _alike(was[key], one)}
        found |= {key: replace(found[key], version=earlier) for key in kept}
        known, walked = kept, earlier
        if not known:
            break
    return {key: replace(one, or_earlier=key in known and walked.number > 1) for key, one in found.items()}


def token_names(versions: Iterable[Version | None]) -> dict[int, str]:
    """Of the tokens that set them, as far as they are still there. One query, or none."""
    ids = {version.token_id for version in versions if version is not None and version.token_id}
    if not ids:
        return {}
    return dict(ApiToken.objects.filter(pk__in=ids).values_list("pk", "name"))


def _before(version: Version) -> Iterator[Version]:
    """Newest first, up to one that is not there."""
    number, least = version.number, max(1, version.number - MOST_READ)
    while number > least:
        some = _between(version.session_id, max(least, number - AT_ONCE), number - 1)
        for one in some:
            if one.number != number - 1:
                return
            number = one.number
            yield one
        if not some:
            return


def _between(session_id: UUID, first: int, last: int) -> list[Version]:
    rows = Version.objects.filter(session_id=session_id, number__range=(first, last))
    return list(rows.order_by("-number").defer("value"))


def _layers(version: Version) -> dict[str, tuple[Any, bool]]:
    return {key: (value, key in version.verified_keys) for key, value in json.loads(version.text).items()}


def _alike(one: tuple[Any, bool], other: tuple[Any, bool]) -> bool:
    return one[1] == other[1] and same(one[0], other[0])
