"""Exports carry rows away: jobs that turn sessions and messages into files."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`exports.dataframe`, found when it is asked for: this package is imported before there are models."""
    if name == "dataframe":
        from .frames import dataframe

        return dataframe
    raise AttributeError(name)
