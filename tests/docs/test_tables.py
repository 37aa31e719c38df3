"""The documentation's tables are held against the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from analytics.metrics import METRICS
from chat import limits, policies, sse
from chat.errors import ChatError
from chat.filters import FIELDS
from chat.filters.conditions import OPERATORS
from chat.models import ChatMessageHistory, Mentor
from chat.payloads import _FLOW_KEYS, _WIRE_KEYS
from chat.posts import MESSAGE_TYPES, NewMessage
from chat.signatures import Claims
from chat.views.quickchat import CODES
from chat.wire_names import QUICKCHAT_IGNORED, QUICKCHAT_PARAMETERS, ROLES
from tests.clients import Socket, fetch, new_session
from tests.test_house import FLOORS

from .pages import GUIDE, ROOT, blocks, prose, short, table


def test_the_payloads_keys() -> None:
    keys = {row[0] for row in table("docs/integrators/payload.md", "| key |")}
    assert keys == set(_WIRE_KEYS) | {f"flow.{key}" for key in _FLOW_KEYS}


def test_the_claims_of_a_signed_token() -> None:
    rows = table("docs/integrators/signed-context.md", "| claim |")
    assert {name for row in rows for name in re.findall(r"\w+", row[0])} == set(Claims.model_fields)
    required = {row[0] for row in rows if row[1] == "required"}
    assert required == {name for name, field in Claims.model_fields.items() if field.is_required()}


def test_the_limits() -> None:
    rows = table("docs/integrators/payload.md", "| limit |")
    told = {name: int(re.match(r"[\d,]+", default)[0].replace(",", "")) for name, default, _ in rows}  # type: ignore[index]
    defaults = limits.Limits()
    assert told == {f"LIMIT_{name.upper()}": getattr(defaults, name) for name in defaults.__slots__}


def test_the_answers_at_once_of_a_socket() -> None:
    assert f"at most {limits.current().answers_per_socket} answers at once" in prose(GUIDE[0])


def test_the_warnings() -> None:
    source = "".join(path.read_text() for path in (ROOT / "chat").glob("*.py"))
    codes = {
        one or other for one, other in re.findall(r'(?<![.\w])_?warning\(\s*"(\w+)"|"code": "(\w+)"', source)
    }
    assert {row[0] for row in table("docs/integrators/payload.md", "| code |")} == codes


def test_the_annotations_of_a_schema() -> None:
    rows = [row[0] for row in table("docs/integrators/schema.md", "| annotation |") if row[0]]
    assert tuple(rows) == policies._ANNOTATIONS


def test_what_a_schema_may_do() -> None:
    rows = table("docs/integrators/schema.md", "| `schema_mode` |")
    assert [re.split(r"[` ]", row[0])[0] for row in rows] == list(policies.MODES)


def kinds(kind: type[ChatError]) -> Iterator[type[ChatError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from kinds(one)


def test_every_error_has_its_row_and_every_row_its_error() -> None:
    assert sse.MethodNotAllowed in list(kinds(ChatError))
    rows = table("docs/integrators/errors.md", "| code | status | when | send")
    rows += table("docs/integrators/errors.md", "| code | status | when | say")
    assert {(row[0], int(row[1])) for row in rows} == {(kind.code, kind.status) for kind in kinds(ChatError)}


def test_the_first_frames_keys() -> None:
    page = ROOT / "docs/integrators/frames.md"
    first = json.loads(next(block.text for block in blocks(page) if block.does == "hear"))[0]
    keys = {*first, *(f"context.{key}" for key in first.pop("context"))} - {"context"}
    assert {row[0] for row in table(short(page), "| key | meaning |")} == keys


def test_the_keys_and_types_of_a_message() -> None:
    page = "docs/integrators/messages.md"
    assert {row[0] for row in table(page, "| key | type | default |")} == set(NewMessage.model_fields)
    assert {row[0] for row in table(page, "| `message_type` | is |")} == set(MESSAGE_TYPES)
    roles = {row[0]: row[1].strip("`") for row in table(page, "| `role` | `participant_role` |")}
    assert roles == ROLES["workbench"]


def test_the_statuses() -> None:
    statuses = {row[0] for row in table("docs/integrators/frames.md", "| status | the answer |")}
    assert statuses == set(ChatMessageHistory.Status.values)


def test_the_deliveries() -> None:
    rows = table("docs/integrators/context.md", "| value | the context is |")
    assert {row[0].split("`")[0] for row in rows} == set(Mentor.Delivery.values)


def test_the_doors_are_there(live: str, names: dict[str, str]) -> None:
    rows = table("docs/integrators.md", "| door |")
    paths = re.findall(r"(GET |POST )?(/[^\s`?]+)", " ".join(cell for row in rows for cell in row[1:]))
    assert len(paths) == 12
    for method, path in paths:
        path = re.sub(r"<(\w+)>", lambda name: new_session() if name[1].endswith("_id") else "demo", path)
        if method:
            assert "code" in fetch(live, method.strip(), path, {} if method == "POST " else None)[1]
        else:
            Socket(live, "demo", "").open(path).close()


def words(rows: list[list[str]], pattern: str = r"\w+", column: int = 0) -> list[str]:
    return [word for row in rows for word in re.findall(pattern, row[column])]


def test_quickchats_codes_and_parameters() -> None:
    page = "docs/integrators/context-api.md"
    assert {int(row[0]): row[1] for row in table(page, "| status | code |")}.items() <= CODES.items()
    named = {
        name for row in table(page, "| parameter | is |") for name in row[0].replace("`", "").split(", ")
    }
    known = {*QUICKCHAT_PARAMETERS, *QUICKCHAT_IGNORED, "limit", "offset"}
    assert named == {*known, "any of our filters"}


def test_the_fields_of_the_filter() -> None:
    rows = table("docs/integrators/filters.md", "| parameter | means sessions |")
    assert set(words(rows, r"[\w.]+")) == {*FIELDS, "context.KEY", "message_context.KEY"}


def test_the_operators_of_the_filter() -> None:
    rows = table("docs/integrators/filters.md", "| operator | holds")
    assert set(words(rows, r"__(\w+)")) == set(OPERATORS)


def test_the_metrics() -> None:
    assert set(words(table("docs/integrators/analytics.md", "| metric |"))) == set(METRICS)


def test_the_modules_of_analytics_and_exports() -> None:
    rows = table("docs/development.md", "| app |")
    begins = [number for number, row in enumerate(rows) if row[0]]
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        there = [path.stem for path in (ROOT / rows[begin][0]).iterdir() if not path.name.startswith("__")]
        assert sorted(words(rows[begin:end], column=1)) == sorted(there)


def test_the_floors_of_the_readme() -> None:
    rows = reversed(table("README.md", "| floor |"))
    assert all(set(words([row], column=2)) <= floor for row, floor in zip(rows, FLOORS, strict=True))


def test_the_floors() -> None:
    rows = table("docs/development.md", "| floor |")
    there = {path.stem for path in (ROOT / "chat").iterdir()}
    assert [set(re.findall(r"\w+", row[1])) for row in reversed(rows)] == [floor & there for floor in FLOORS]
