"""All configuration, from the environment; docs/operations.md has one table of every variable.

Without DATABASE_URL and REDIS_URL the program runs embedded: SQLite, in-process cache and channel layer,
background jobs in process, a demonstration model.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.limits import Limits

from . import logs

BASE_DIR = Path(__file__).resolve().parent.parent
SECRETS = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "LLM_API_KEY", "EXPORTS_S3_SECRET_KEY")


def _environment() -> dict[str, str]:
    """What is set and not empty; for a secret, NAME_FILE names the file that holds it."""
    found = {name: value for name, value in os.environ.items() if value.strip()}
    for name in SECRETS:
        if path := found.get(f"{name}_FILE"):
            found[name] = Path(path).read_text().strip()
    return found


env = environ.Env()
env.ENVIRON = _environment()


def _text(name: str, default: str = "") -> str:
    value: str = env.ENVIRON.get(name, default)
    return value


def _int(name: str, default: int) -> int:
    try:
        return int(env.ENVIRON.get(name, default))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {_text(name)!r}.") from None


def _float(name: str, default: float) -> float:
    try:
        return float(env.ENVIRON.get(name, default))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {_text(name)!r}.") from None


def _kept_secret(path: Path) -> str:
    """The secret of this installation, made on its first run."""
    if not path.exists():
        # Linked when it is whole: a second process that starts now reads it or makes none of its own.
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()


VAR_DIR = Path(_text("VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
DEBUG: bool = env.bool("DEBUG", False)
SECRET_KEY_GIVEN = bool(_text("SECRET_KEY"))
SECRET_KEY: str = _text("SECRET_KEY") or _kept_secret(VAR_DIR / "secret_key")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
_own_hosts = ["localhost", "127.0.0.1", "[::1]", _text("HOST", "localhost")]
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=_own_hosts)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_TLS_PROXY: bool = env.bool("BEHIND_TLS_PROXY", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = _int("HSTS_SECONDS", 30 * 24 * 3600)
# Whether HSTS covers subdomains and goes into browsers' lists is the domain's to decide, not one program's.
# An index's covering columns are PostgreSQL's; SQLite has the index without them.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "models.W040"]
SECURE_REFERRER_POLICY = "same-origin"

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "mentor_project",
    "chat",
    "analytics",
    "exports",
]
MIDDLEWARE = [
    "mentor_project.middleware.probes_first",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "mentor_project.urls"
ASGI_APPLICATION = "mentor_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "mentor_project" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# With a STATIC_ROOT what collectstatic left there is served, else every file from where it is.
STATIC_ROOT: str | None = _text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG
# Django reads WhiteNoise's files whole before it sends them; ours are small.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

# --- where rows live
DATABASE_URL: str = _text("DATABASE_URL")
DATABASE_THREADS: int = _int("DATABASE_THREADS", 8)
DATABASE_LOCK_TIMEOUT_MS: int = _int("DATABASE_LOCK_TIMEOUT_MS", 3_000)
DATABASE_STATEMENT_TIMEOUT_MS: int = _int("DATABASE_STATEMENT_TIMEOUT_MS", 10_000)
READ_TIMEOUT_MS: int = _int("READ_TIMEOUT_MS", 5_000)


def _database() -> dict[str, Any]:
    config: dict[str, Any] = dict(env.db_url("DATABASE_URL", f"sqlite:///{VAR_DIR / 'mentor.sqlite3'}"))
    if not config.get("ENGINE", "").endswith((".postgresql", ".sqlite3")):
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// or sqlite:// address.")
    if config["ENGINE"].endswith("sqlite3"):
        # IMMEDIATE takes the write lock at BEGIN: a read that later writes would fail with "locked" at once.
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        config["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": pragmas}
        config["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
        return config
    parameters = {
        "lock_timeout": DATABASE_LOCK_TIMEOUT_MS,
        "statement_timeout": DATABASE_STATEMENT_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": 10_000,
        "jit": "off",  # it would compile for longer than any question here takes
    }
    options = config.setdefault("OPTIONS", {})
    options["options"] = " ".join(f"-c {name}={value}" for name, value in parameters.items())
    options["connect_timeout"] = 5
    # Django switches prepared statements off, also for what asks for one by itself. With a threshold that
    # nothing reaches only those are prepared, the statements of a turn: it takes 0.5 ms less of the database.
    options["prepare_threshold"] = 1_000_000 if env.bool("DATABASE_PREPARED_STATEMENTS", True) else None
    # The threads of chat.database keep one connection each; the rest serves synchronous views.
    # Up to reconnect_timeout the pool doubles its pauses: a long one would sleep on when PostgreSQL is back.
    options["pool"] = {"min_size": 1, "max_size": DATABASE_THREADS + 8, "timeout": 5, "reconnect_timeout": 5}
    config["CONN_HEALTH_CHECKS"] = True
    return config


DATABASES = {"default": _database()}

# --- what may be lost: cache, wake-ups, event logs
REDIS_URL: str = _text("REDIS_URL")
KEY_PREFIX: str = _text("KEY_PREFIX", "mentor")
CONTEXT_CACHE_SECONDS = 7_200


def plain_key(key: str, prefix: str, version: int) -> str:
    """Cache keys as they are written: others read `session_{id}_metadata` by its name."""
    return key


CACHES: dict[str, Any]
CHANNEL_LAYERS: dict[str, Any]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_FUNCTION": "mentor_project.settings.plain_key",
            "OPTIONS": {
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                "SOCKET_CONNECT_TIMEOUT": 1,
                "SOCKET_TIMEOUT": 1,
            },
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                # The layer blocks for 5 s on an idle channel; redis-py's own limit of 5 s would cut it off.
                "hosts": [{"address": REDIS_URL, "socket_timeout": 20, "socket_connect_timeout": 2}],
                "prefix": f"{KEY_PREFIX}:layer",
            },
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "KEY_FUNCTION": "mentor_project.settings.plain_key",
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- background jobs
_SPOOL = VAR_DIR / "jobs"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for Redis for as long as it takes
CELERY_TASK_DEFAULT_QUEUE = KEY_PREFIX
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost"
CELERY_WORKER_ENABLE_REMOTE_CONTROL = bool(REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"socket_connect_timeout": 2, "visibility_timeout": 600}
    if REDIS_URL
    else {
        "data_folder_in": str(_SPOOL / "queue"),
        "data_folder_out": str(_SPOOL / "queue"),
        "control_folder": str(_SPOOL / "control"),
        "polling_interval": 0.2,
    }
)
# Kept in memory: nothing here is so rare that a restart must remember when it last ran.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
EXPORTS_LEASE_SECONDS: float = _float("EXPORTS_LEASE_SECONDS", 20)
# A short lease is in vain where nobody looks for what it leaves.
_sweep = min(30.0, EXPORTS_LEASE_SECONDS * 1.5)
# Each message expires when the next one is due: workers that come back do not find a thousand to run.
CELERY_BEAT_SCHEDULE = {
    "reap-turns": {"task": "chat.tasks.reap_turns", "schedule": 10.0, "options": {"expires": 10.0}},
    "run-exports": {"task": "exports.tasks.sweep", "schedule": _sweep, "options": {"expires": _sweep}},
    "open-windows": {"task": "exports.tasks.open_windows", "schedule": 60.0, "options": {"expires": 60.0}},
    "erase": {"task": "exports.tasks.sweep_erasures", "schedule": 30.0, "options": {"expires": 30.0}},
    "retain": {"task": "chat.tasks.retain", "schedule": 300.0, "options": {"expires": 300.0}},
    "lapse": {"task": "chat.tasks.lapse", "schedule": 1800.0, "options": {"expires": 1800.0}},
    "roll-up": {"task": "chat.tasks.roll_up", "schedule": 60.0, "options": {"expires": 60.0}},
}

# --- the turn
LLM_BASE_URL: str = _text("LLM_BASE_URL")
LLM_API_KEY: str = _text("LLM_API_KEY")
LLM_MODEL: str = _text("LLM_MODEL")
LLM_CONTEXT_WINDOW: int = _int("LLM_CONTEXT_WINDOW", 0)
LLM_CONNECT_TIMEOUT: float = _float("LLM_CONNECT_TIMEOUT", 5)
LLM_FIRST_TOKEN_TIMEOUT: float = _float("LLM_FIRST_TOKEN_TIMEOUT", 30)
LLM_IDLE_TIMEOUT: float = _float("LLM_IDLE_TIMEOUT", 20)
LLM_TOTAL_TIMEOUT: float = _float("LLM_TOTAL_TIMEOUT", 600)
DEMO_MODEL_DELAY_MS: float = _float("DEMO_MODEL_DELAY_MS", 12)
TURN_LEASE_SECONDS: float = _float("TURN_LEASE_SECONDS", 8)
TURN_HEARTBEAT_SECONDS: float = _float("TURN_HEARTBEAT_SECONDS", 2)
EVENT_LOG_SECONDS: int = _int("EVENT_LOG_SECONDS", 600)
DRAIN_SECONDS: float = _float("DRAIN_SECONDS", 25)

# --- retention
RETENTION_DAYS: int = _int("RETENTION_DAYS", 0)

# --- exports
EXPORTS_KEEP_DAYS: float = _float("EXPORTS_KEEP_DAYS", 7)
EXPORTS_LINK_SECONDS: int = _int("EXPORTS_LINK_SECONDS", 600)
EXPORTS_AT_ONCE: int = _int("EXPORTS_AT_ONCE", 1)
EXPORTS_CUT_SECONDS: float = _float("EXPORTS_CUT_SECONDS", 60)
EXPORTS_DIR: Path = Path(_text("EXPORTS_DIR", str(VAR_DIR / "exports")))
# Files that are not whole: on the same disk, so that a rename makes them an export.
EXPORTS_WORK_DIR: Path = EXPORTS_DIR / ".work"
EXPORTS_S3_BUCKET: str = _text("EXPORTS_S3_BUCKET")


def _exports_store() -> dict[str, Any]:
    if not EXPORTS_S3_BUCKET:
        modes = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": EXPORTS_DIR, **modes},
        }
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": EXPORTS_S3_BUCKET,
            "location": _text("EXPORTS_S3_PREFIX", "exports"),
            # Not set: what boto3 finds in its own places, an instance's role among them.
            "endpoint_url": _text("EXPORTS_S3_ENDPOINT") or None,
            "region_name": _text("EXPORTS_S3_REGION") or None,
            "access_key": _text("EXPORTS_S3_ACCESS_KEY") or None,
            "secret_key": _text("EXPORTS_S3_SECRET_KEY") or None,
            "addressing_style": _text("EXPORTS_S3_ADDRESSING") or None,
            "default_acl": None,
            "file_overwrite": True,
        },
    }


STORAGES["exports"] = _exports_store()
for _limit, _default in asdict(Limits()).items():
    globals()[f"LIMIT_{_limit.upper()}"] = _int(f"LIMIT_{_limit.upper()}", _default)

# --- doors
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "chat.authentication.TokenAuthentication",
        "chat.authentication.StaffAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chat.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "chat.parsers.OneKind",
    "EXCEPTION_HANDLER": "chat.problems.problem",
    "UNAUTHENTICATED_USER": None,
    # `?format=` is ours to understand or to refuse.
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "mentor_project.described.Described",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Mentor Context",
    "DESCRIPTION": "Chat with mentors that know where their user stands, and read what was said and known.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "LICENSE": {"name": "Apache-2.0"},
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": ["mentor_project.described.without_twins"],
    "POSTPROCESSING_HOOKS": [
        "mentor_project.openapi.add_components",
        "mentor_project.openapi.add_chat",
        "mentor_project.openapi.add_problems",
    ],
    "TAGS": [
        {"name": "chat", "description": "Saying something to a mentor. The sockets: `/api/asyncapi.yaml`."},
        {"name": "sessions", "description": "Who talked to which mentor, and what was known of them."},
        {
            "name": "messages",
            "description": "What was said, with whatever its sender attached, and what an answer was made from.",
        },
        {"name": "analytics", "description": "Counts, charts, facets and coverage, by any filter."},
        {"name": "exports", "description": "Files, jobs and schedules, by the same filter."},
        {"name": "privacy", "description": "Erasing users, with a token of the scope `erase_all`."},
        {
            "name": "ibl.ai",
            "description": "The same at ibl.ai's paths, in its shapes and with its names of parameters beside ours. "
            "What it knows and we do not is named in the header `X-Ignored-Parameters`. "
            "The last slash of these paths may be left out where its clients do.",
        },
        {
            "name": "Quickchat",
            "description": "A session's context as a conversation's metadata at Quickchat's paths, with its errors and "
            "rates. The last slash may be left out.",
        },
    ],
}

# --- logs: one JSON object a line, never the text of a message or a metadata value
LOG_LEVEL = _text("LOG_LEVEL").upper()
if LOG_LEVEL and LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {LOG_LEVEL!r}.")
LOGGING: dict[str, Any] = logs.lines(LOG_LEVEL)
