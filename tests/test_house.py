"""The house itself: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "limits", "strict_json", "payloads", "placeholders", "prompts", "filters"}
    | {"changes", "wire_names", "reading", "origins", "message_metadata", "posts", "told"}
    | {
        "writes",
        "patches",
        "schemas",
        "policies",
        "admissions",
        "delivery",
        "masks",
        "remembered",
        "secret_keys",
    },
    {"llm", "cache", "telemetry", "news"},
    {"models", "database"},
    {
        "access",
        "client_context",
        "leases",
        "openings",
        "turns",
        "rates",
        "selections",
        "cursors",
        "walks",
        "rollups",
    }
    | {"transcripts", "shapes", "removals", "refusals", "messages", "message_pages", "happened"}
    | {"contexts", "signatures", "provenance", "erasing", "retention", "lapses"},
    {"feeds", "tallies", "live", "following", "runner", "rebuild", "responding", "watching"}
    | {"explaining", "previewing"},
    {
        *(
            "requests",
            "consumers",
            "sse",
            "authentication",
            "parsers",
            "problems",
            "views",
            "pages",
            "frames",
            "admin",
        ),
        *("tasks", "background", "urls", "management", "configuration", "replay", "importing", "checks"),
        *("migrations", "queries", "describing", "listening", "events"),
    },
]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
SIBLINGS = [("analytics", "exports"), ("exports", "analytics"), ("chat", "analytics"), ("chat", "exports")]


def modules(package: str) -> list[Path]:
    return [
        path
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py" or path.parent.parent != ROOT
    ]


def part(path: Path) -> str:
    """The module or subpackage of its app that a file belongs to."""
    return path.relative_to(ROOT).parts[1].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute dotted names of everything a file imports, also within functions."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def chat_imports(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(path) if name.startswith("chat.")}
    return names & FLOOR_OF.keys()


def test_every_module_of_the_chat_has_a_floor() -> None:
    assert {part(path) for path in modules("chat")} <= FLOOR_OF.keys()


def test_no_module_imports_upward() -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("chat")
        for name in chat_imports(path)
        if FLOOR_OF[name] > FLOOR_OF[part(path)]
    ]
    assert upward == []


def test_no_modules_import_each_other() -> None:
    edges: dict[str, set[str]] = {}
    for path in modules("chat"):
        edges.setdefault(part(path), set()).update(chat_imports(path) - {part(path)})

    def reaches(start: str, at: str, seen: set[str]) -> bool:
        return any(n == start or (n not in seen and reaches(start, n, seen | {n})) for n in edges.get(at, ()))

    assert [name for name in edges if reaches(name, name, {name})] == []


def test_no_app_imports_a_forbidden_sibling() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {theirs}"
        for ours, theirs in SIBLINGS
        for path in modules(ours)
        if any(name.split(".")[0] == theirs for name in imports(path))
    ]
    assert wrong == []


def test_only_the_words_are_free_of_the_orm() -> None:
    words = [path for path in modules("chat") if FLOOR_OF[part(path)] == 0]
    assert [path.name for path in words if any(n.startswith("django.db") for n in imports(path))] == []
