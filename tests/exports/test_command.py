"""`manage.py export`: the same rows from a shell."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.db import connection

from chat.models import Mentor

from ..children import environment, manage
from ..faults.web import ROOT
from .cast import many, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(coach: Mentor, tmp_path: Path) -> dict[str, str]:
    """What a child needs, after a session whose context changed."""
    said(coach, {"stateCode": "CA"}, {"stateCode": "NY"})
    return {"VAR_DIR": str(tmp_path)}


def exported(told: dict[str, str], *arguments: str) -> Any:
    return manage("export", "--tenant", "demo", *arguments, **told)


def test_it_writes_to_standard_output_and_nothing_else(told: dict[str, str]) -> None:
    done = exported(told, "--columns", "content", "message_context.stateCode=NY")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(csv.reader(io.StringIO(done.stdout))) == [["content"], ["Question 2?"], ["Answer 2."]]


def test_it_writes_a_file_of_each_format(told: dict[str, str], tmp_path: Path) -> None:
    for kind in ("csv", "jsonl", "parquet"):
        done = exported(
            told, "--format", kind, "--output", str(tmp_path / kind), "--context-key", "stateCode"
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    states = ["CA", "CA", "NY", "NY"]
    lines = (tmp_path / "jsonl").read_text().splitlines()
    assert [json.loads(line)["ctx.stateCode"] for line in lines] == states
    assert pq.read_table(tmp_path / "parquet")["ctx.stateCode"].to_pylist() == states
    with (tmp_path / "csv").open() as file:
        assert [row["ctx.stateCode"] for row in csv.DictReader(file)] == states


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["context.a__near=1"], "?context.a__near: There is no such operator"),
        (["colour"], "'colour' is not NAME=VALUE."),
        (["--columns", "colour"], "/columns/0: There is no such column"),
        (["--tenant", "nowhere"], "There is no such thing here."),
        (["--output", "/nowhere/file"], "/nowhere/file: No such file or directory."),
        (["--output", "/dev/full"], "/dev/full: No space left on device."),
    ],
)
def test_a_mistake_is_told_in_a_sentence(told: dict[str, str], arguments: list[str], sentence: str) -> None:
    done = exported(told, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_is_written_to_and_never_replaced(told: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert exported(told, "--columns", "content", "--output", str(pipe)).returncode == 0
        assert reader.communicate()[0].startswith(b"content\nQuestion 1?")
    assert pipe.is_fifo()


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite's own file would be under the limit too"
)
def test_a_full_disk_leaves_no_file(told: dict[str, str], coach: Mentor, tmp_path: Path) -> None:
    many(coach, 40, 100, "Words. " * 20)
    (tmp_path / "place").mkdir()
    script = (
        f"ulimit -f 200; exec {sys.executable} manage.py export --tenant demo --output {tmp_path}/place/file"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**environment(), **told},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "File too large." in done.stderr
    assert list((tmp_path / "place").iterdir()) == []


def test_a_reader_that_has_enough_is_no_error(told: dict[str, str], coach: Mentor) -> None:
    many(coach, 40, 100, "Words. " * 20)
    command = f"{sys.executable} manage.py export --tenant demo | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**environment(), **told},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("session_id,")


def test_somebody_who_watches_sees_a_bar(told: dict[str, str], tmp_path: Path) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "manage.py", "export", "--tenant", "demo", "--output", str(tmp_path / "file")]
    given = {**environment(TERM="xterm"), **told}
    subprocess.run(command, env=given, cwd=ROOT, stderr=side, stdout=subprocess.PIPE, check=True)
    os.close(side)
    shown = os.read(main, 100_000).decode()
    os.close(main)
    assert "4/4" in shown
