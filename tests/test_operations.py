"""What operators rely on: how we are served, what we say of our health, what settings and documents promise."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from prometheus_client import REGISTRY
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from chat import telemetry
from chat.limits import Limits
from chat.models import Mentor, statements

from .children import Daphne, Web, environment, events, manage, running
from .clients import Socket, Stream, Talk, announce, fetch, new_session, request
from .faults.web import ROOT
from .model_server import CutAfter, ModelServer, Raw, Refuse

DOCUMENT = (ROOT / "docs" / "operations.md").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
NOBODY = "redis://127.0.0.1:1/0", "postgresql://mentor@127.0.0.1:1/mentor"
PRODUCTION = {
    "SECRET_KEY": "fifty-characters-or-more-that-nobody-would-guess-so-soon",
    "ALLOWED_HOSTS": "chat.example.com",
    "BEHIND_TLS_PROXY": "true",
    "DATABASE_URL": "postgresql://mentor:secret@postgres:5432/mentor",
    "REDIS_URL": "redis://redis:6379/0",
    "LLM_BASE_URL": "https://models.example/v1",
    "LLM_MODEL": "small",
}
in_children = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def served(django_db_setup: None) -> Iterator[Web]:
    """`manage.py serve`, for what needs no rows."""
    with running(Web(environment())) as web:
        yield web


# --- the documents


def first_cells(title: str) -> set[str]:
    """The names in the first column of the tables of a section."""
    section = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return {
        name
        for cell in re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", cell)
    }


def in_the_code(pattern: str) -> set[str]:
    folders = ("mentor_project", "chat", "analytics", "exports")
    files = [file for folder in folders for file in ROOT.glob(f"{folder}/**/*.py")]
    return {name for file in files for name in re.findall(pattern, file.read_text())}


def variables() -> set[str]:
    """Every name that the program takes from the environment."""
    limits = {f"LIMIT_{name.upper()}" for name in Limits.__dataclass_fields__}
    return limits | in_the_code(r'\b(?:_text|_int|_float|env\.\w+|environ\.get)\(\s*"([A-Z][A-Z0-9_]+)"')


def test_every_variable_that_is_read_stands_in_the_one_table() -> None:
    assert len(variables()) > 30
    assert variables() - first_cells("Environment") == set()


def test_the_table_names_no_variable_that_nobody_reads() -> None:
    others = {"SECRET_KEY_FILE", "POSTGRES_PASSWORD", "WEB_PORTS"}
    assert first_cells("Environment") - variables() == others


def test_the_table_tells_the_limits_that_are_in_force() -> None:
    rows = dict(re.findall(r"^\| `LIMIT_(\w+)` \| (\d+) \|", DOCUMENT, re.MULTILINE))
    assert rows == {name.upper(): str(getattr(Limits(), name)) for name in Limits.__dataclass_fields__}


def test_what_compose_and_its_example_set_stands_in_the_table() -> None:
    example = (ROOT / ".env.example").read_text()
    names = {
        *re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE),
        *re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE),
    }
    assert {"SECRET_KEY", "POSTGRES_PASSWORD", "WEB_PORTS", "LLM_API_KEY"} <= names
    assert names - first_cells("Environment") == set()


def test_every_metric_stands_in_its_table() -> None:
    kinds = {
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type)
        for family in REGISTRY.collect()
        if family.name.startswith("mentor_")
    }
    assert set(re.findall(r"^\| `(mentor_\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE)) == kinds


def test_every_check_stands_in_its_table() -> None:
    assert first_cells("System checks") == in_the_code(r'id="(mentor_project\.\w+)"')


def test_every_event_of_the_log_stands_in_its_table() -> None:
    written = in_the_code(r'\blog(?:ger)?\.(?:info|warning|error|exception)\(\s*"([^"]+)"')
    assert written == first_cells("Logs")


# --- how it is served


@in_children
@pytest.mark.parametrize("door", [Socket, Stream], ids=["ws", "sse"])
def test_daphne_serves_the_same_application(door: type[Talk], coach: Mentor, model: ModelServer) -> None:
    with running(Daphne(environment(LLM_BASE_URL=model.url, LLM_MODEL="tokens-3"))) as daphne:
        talk = door(daphne.url, tenant="demo", mentor="coach")
        reply = talk.say("Count to three.", metadata={"stateCode": "CA"})  # type: ignore[attr-defined]
    assert (reply.version, reply.text, reply.end["status"]) == (1, "tok0 tok1 tok2 ", "complete")


def test_frames_are_not_compressed_though_a_client_offers_it(served: Web) -> None:
    with connect(f"ws://127.0.0.1:{served.port}/ws/chat/", compression="deflate") as socket:
        assert "Sec-WebSocket-Extensions" in socket.request.headers
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda socket: announce(socket, 1024 * 1024 + 1), 1009),
        (lambda socket: socket.send(b'{"prompt": "\xff\xfe"}', text=True), 1007),
    ],
    ids=["too large", "no text"],
)
def test_the_protocol_closes_what_is_too_large_or_no_text(
    served: Web, send: Callable[[ClientConnection], None], code: int
) -> None:
    with connect(f"ws://127.0.0.1:{served.port}/ws/chat/") as socket:
        send(socket)
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


# --- health


@in_children
def test_a_process_that_serves_is_live_and_ready(served: Web) -> None:
    assert fetch(served.url, "GET", "/healthz") == (200, {"status": "ok"})
    assert fetch(served.url, "GET", "/healthz/live") == (200, {"status": "ok"})
    checks = {"database": "ok", "cache": "ok"}
    assert fetch(served.url, "GET", "/healthz/ready") == (200, {"status": "ok", "checks": checks})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/healthz/live", "/healthz/ready", "/metrics"])
def test_probes_may_ask_by_address(path: str) -> None:
    assert Client(headers={"host": "10.0.0.7:8000"}).get(path).status_code == 200
    assert Client(headers={"host": "10.0.0.7:8000"}).get("/admin/login/").status_code == 400


@in_children
@pytest.mark.parametrize(
    ("away", "status", "body"),
    [
        ({"DATABASE_URL": NOBODY[1]}, 503, ("unavailable", "unreachable", "ok")),
        ({"DATABASE_URL": ""}, 503, ("unavailable", "not migrated", "ok")),
        ({"REDIS_URL": NOBODY[0]}, 200, ("degraded", "ok", "unreachable")),
    ],
    ids=["database away", "not migrated", "cache away"],
)
def test_ready_says_what_is_missing(away: dict[str, str], status: int, body: tuple[str, str, str]) -> None:
    with running(Web(environment(**away))) as web:
        answer = {"status": body[0], "checks": {"database": body[1], "cache": body[2]}}
        assert fetch(web.url, "GET", "/healthz/ready") == (status, answer)
        assert fetch(web.url, "GET", "/healthz/live") == (200, {"status": "ok"})


def test_metrics_are_told_in_prometheus_own_format(served: Web) -> None:
    with request(served.url, "GET", "/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert b"\nmentor_sockets_open " in response.read()


# --- logs

CANARY = "Zwitschermaschine"


@in_children
@pytest.mark.parametrize("door", [Socket, Stream], ids=["ws", "sse"])
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_nothing_that_anybody_wrote_is_in_the_logs(
    door: type[Talk], level: str, coach: Mentor, token: str, model: ModelServer
) -> None:
    with running(Web(environment(LLM_BASE_URL=model.url, LLM_MODEL="echo", LOG_LEVEL=level))) as web:
        talk: Any = door(web.url, tenant="demo", mentor="coach", token=token)
        statuses = [said.get("status", said.get("code")) for said in provoke(talk, model)]
        log, lines = web.log(), events(web)
    assert statuses == EXPECTED
    assert {"the model failed"} <= {line["event"] for line in lines}
    assert [secret for secret in (CANARY, token) if secret in log] == []


EXPECTED = [
    *("complete", "failed", "failed", "interrupted"),
    *("invalid_payload", "invalid_payload", "metadata_too_large", "not_found", "authentication_failed"),
]


def provoke(talk: Any, model: ModelServer) -> Iterator[dict[str, Any]]:
    """The last frame of a turn that goes well, of those that the model spoils, and of refused payloads."""
    full = {"metadata": {"city": CANARY}, "page_content": CANARY, "client_message_id": f"{CANARY}-1"}
    yield talk.say(CANARY, **full).end
    for broken in (Refuse(400, message=CANARY), Raw([f"data: {CANARY}\n\n".encode()]), CutAfter(2)):
        model.enqueue(broken)
        yield talk.say(CANARY, **{**full, "client_message_id": new_session()}).end
    for wrong in (
        f'{{"prompt": "{CANARY}", nonsense',
        talk.payload(CANARY, metadata=[CANARY]),
        talk.payload(CANARY, metadata={"city": CANARY * 2000}),
        {**talk.payload(CANARY), "flow": {"name": CANARY, "tenant": "demo"}, "session_id": new_session()},
        talk.payload(CANARY, token=f"mk_{CANARY}"),
    ):
        talk.put(wrong)
        yield talk.get()


def caught(error: Exception, cause: Exception | None = None) -> str:
    """How the log describes an exception."""
    try:
        raise error from cause
    except Exception as raised:
        return telemetry.exception_without_words((type(raised), raised, raised.__traceback__))


def test_an_exception_is_logged_without_the_value_that_it_quotes() -> None:
    told = caught(ValueError(f"bad value {CANARY}"), KeyError(CANARY))
    assert CANARY not in told
    assert [told.index("KeyError") < told.index("raise error"), told.endswith("ValueError")] == [True, True]


def test_an_exception_of_the_machine_is_logged_with_its_words() -> None:
    assert caught(OperationalError("connection refused")).endswith("OperationalError: connection refused")
    assert caught(ConnectionResetError("reset by peer")).endswith("ConnectionResetError: reset by peer")


# --- settings


def setting(name: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Print one setting as a fresh process has it."""
    program = f"from mentor_project import settings; print(settings.{name})"
    given = {**environment(DATABASE_URL="", SECRET_KEY="", VAR_DIR=str(folder)), **env}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_production_environment_passes_djangos_own_checks() -> None:
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "no issues" in checked.stdout


def test_debug_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert setting("DEBUG", tmp_path).stdout == "False\n"
    assert setting("DEBUG", tmp_path, DEBUG="yes").stdout == "True\n"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mounted\n")
    assert setting("SECRET_KEY", tmp_path, SECRET_KEY_FILE=str(tmp_path / "key")).stdout == "mounted\n"
    assert setting("LLM_API_KEY", tmp_path, LLM_API_KEY_FILE=str(tmp_path / "key")).stdout == "mounted\n"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert setting("LIMIT_PROMPT_BYTES", tmp_path, LIMIT_PROMPT_BYTES="").stdout == "32768\n"
    assert "localhost" in setting("ALLOWED_HOSTS", tmp_path, ALLOWED_HOSTS=" ").stdout


def test_processes_that_start_at_once_make_one_secret_between_them(tmp_path: Path) -> None:
    said: list[str] = []
    starts = [
        threading.Thread(target=lambda: said.append(setting("SECRET_KEY", tmp_path).stdout)) for _ in range(4)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(said) == 4
    assert len(set(said)) == 1
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_THREADS", "many", "DATABASE_THREADS must be a whole number, not 'many'."),
        ("DRAIN_SECONDS", "25s", "DRAIN_SECONDS must be a number, not '25s'."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not 'LOUD'."),
        ("DATABASE_URL", "mysql://db/x", "DATABASE_URL must be a postgresql:// or sqlite:// address."),
    ],
)
def test_a_value_that_cannot_be_read_is_named(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    refused = setting("DEBUG", tmp_path, **{name: value})
    assert refused.returncode == 1
    assert refused.stderr.rstrip().endswith(sentence)


@pytest.mark.django_db
def test_pages_say_how_browsers_should_treat_them() -> None:
    response = Client().get("/admin/login/")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in response


@pytest.mark.django_db
def test_the_cookie_of_a_sign_in_is_neither_for_scripts_nor_for_other_sites() -> None:
    User.objects.create_superuser("alice", password="a long enough one")
    client = Client()
    client.post("/admin/login/", {"username": "alice", "password": "a long enough one"})
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


@in_children
def test_behind_a_tls_proxy_everything_is_https() -> None:
    with running(Web(environment(BEHIND_TLS_PROXY="true"))) as web:
        with request(web.url, "GET", "/admin/login/") as plain:
            assert (plain.status, plain.headers["Location"]) == (
                301,
                f"https://127.0.0.1:{web.port}/admin/login/",
            )
        with request(web.url, "GET", "/admin/login/", headers={"X-Forwarded-Proto": "https"}) as page:
            assert page.headers["Strict-Transport-Security"] == "max-age=2592000"
            assert "; Secure" in page.headers["Set-Cookie"]
        assert fetch(web.url, "GET", "/healthz")[0] == 200


@pytest.mark.services
@pytest.mark.django_db
def test_the_statements_of_a_turn_are_prepared_and_no_others() -> None:
    statements.history({"session": new_session(), "sequence": 1, "history_window": 1})
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [row[0] for row in cursor.fetchall()]
    assert len(prepared) == 1
    assert "FROM chat_chatmessagehistory" in prepared[0]


# --- the image


def test_compose_is_bound_to_the_loopback_and_holds_no_secret() -> None:
    ports = re.findall(r'ports:((?:\n +- "[^"]+")+)', COMPOSE)
    secrets = re.findall(r"(?:SECRET_KEY|PASSWORD|DATABASE_URL): (.+)", COMPOSE)
    assert [port for port in re.findall(r'"(.+)"', "".join(ports)) if not port.startswith("127.0.0.1:")] == []
    assert (len(ports), len(secrets)) == (1, 3)
    assert [secret for secret in secrets if not re.search(r"\$\{[A-Z_]+:\?", secret)] == []


def test_compose_starts_one_of_each_part() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load(COMPOSE)["services"]
    assert set(services) == {"web", "worker", "beat", "migrate", "postgres", "redis"}
    assert services["web"]["environment"]["PORT"] == "8000"
    assert services["beat"]["command"] == [
        *["celery", "--quiet", "-A", "mentor_project", "beat", "--pidfile"],
        "",
    ]


def test_images_are_named_plainly_and_installed_from_the_lock() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    images = re.findall(r"^FROM (\S+)|^ +image: (\S+)", dockerfile + COMPOSE, re.MULTILINE)
    assert {a or b for a, b in images} == {"python:3.11-slim", "mentor-context", "postgres:16", "redis:7"}
    assert "--require-hashes" in dockerfile
    assert "\nUSER mentor\n" in dockerfile
