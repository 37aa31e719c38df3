"""The words in which REST paths are described: shapes, parameters that are told once, operations.

A view's method wears its operation: `@described.list_sessions`. mentor_project.openapi makes the document of them.
"""

from . import parameters, shapes
from .operations import TENANTS, VENDOR, Operation, done, file, made, ok, waiting
from .parameters import filters

__all__ = [
    "TENANTS",
    "VENDOR",
    "Operation",
    "done",
    "file",
    "filters",
    "made",
    "ok",
    "parameters",
    "shapes",
    "waiting",
]
