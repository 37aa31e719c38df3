"""The one filter grammar: which sessions and messages a list, a chart, an export or an admin page is about.

A filter is written as query parameters, and asked of rows by `chat.selections` (in the database) or by
`matches` (of a value at hand). docs/integrators/filters.md tells it to the user.
"""

from .conditions import Condition, matches
from .fields import FIELDS, ROLES, STATUSES
from .grammar import Filter, parse, written
from .moments import Moment
from .paths import read_path, written_path

__all__ = [
    "FIELDS",
    "ROLES",
    "STATUSES",
    "Condition",
    "Filter",
    "Moment",
    "matches",
    "parse",
    "read_path",
    "written",
    "written_path",
]
