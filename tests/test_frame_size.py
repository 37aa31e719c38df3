"""What a frame loads before its first word: little, and no renderer of formulas."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from .test_house import ROOT

STATIC = ROOT / "static"
MOST = 60 * 1024
STATIC_IMPORT = re.compile(r"^(?:import|export)\b[^;()]*?['\"](\.{1,2}/[^'\"]+)['\"]", re.MULTILINE)


def loaded(start: Path) -> set[Path]:
    """The module and all that it and they import before anything runs."""
    found, due = set(), [start.resolve()]
    while due:
        path = due.pop()
        if path not in found:
            found.add(path)
            due += [(path.parent / name).resolve() for name in STATIC_IMPORT.findall(path.read_text())]
    return found


def test_the_frames_script_is_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in loaded(STATIC / "frame.js")}
    assert sum(sizes.values()) < MOST, sizes


def test_the_renderer_of_formulas_is_loaded_with_the_first_of_them_only() -> None:
    names = {path.relative_to(STATIC).as_posix() for path in loaded(STATIC / "frame.js")}
    assert {"frame.js", "chat/markdown.js", "chat/formula.js"} <= names
    assert not {name for name in names if "vendor" in name or name == "chat/maths.js"}
    assert "vendor/katex/katex.min.js" in {
        path.relative_to(STATIC).as_posix() for path in loaded(STATIC / "chat" / "maths.js")
    }
