"""What is wrong with one parameter."""

from __future__ import annotations

from ..errors import InvalidFilter

LONGEST_POINTER = 100


class Fault(ValueError):
    """A sentence that repeats nothing of what was sent."""

    def at(self, name: str) -> InvalidFilter:
        """The error that points to this parameter, such as `?context.order__gt`."""
        readable = name[:LONGEST_POINTER].encode(errors="replace").decode()
        return InvalidFilter(str(self), pointer=f"?{readable}")
