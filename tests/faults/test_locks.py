"""A row that somebody holds locked is that session's trouble and nobody else's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg

from tests.clients import Frame, Socket

from .stage import Stage
from .web import Web

LOCK_TIMEOUT = 3.0  # DATABASE_LOCK_TIMEOUT_MS


@contextlib.contextmanager
def locked(stage: Stage, session_id: str) -> Iterator[None]:
    """The session's row, held by another connection for as long as the block runs."""
    with psycopg.connect(stage.postgres.url) as connection:
        connection.execute("SELECT 1 FROM chat_session WHERE id = %s FOR UPDATE", [session_id])
        yield
        connection.rollback()


def timed(talk: Socket) -> tuple[float, Frame]:
    """Seconds to the last frame of a turn, and that frame."""
    began = time.monotonic()
    end = talk.say("Still there?").end
    return time.monotonic() - began, end


def strangers(stage: Stage, web: Web, count: int = 10) -> float:
    """The slowest of so many others, one after the other."""
    talks = [stage.talk(web, "brief") for _ in range(count)]
    turns = [timed(talk) for talk in talks]
    assert all(end["status"] == "complete" for _, end in turns)
    return max(seconds for seconds, _ in turns)


def test_a_locked_session_stalls_no_stranger(stage: Stage, one: Web) -> None:
    own = stage.talk(one, "brief")
    own.say("Make the session.")
    with locked(stage, own.session_id), ThreadPoolExecutor() as pool:
        waiting = pool.submit(timed, own)
        time.sleep(0.1)
        slowest = strangers(stage, one)
        seconds, refusal = waiting.result()
    print(f"strangers took {slowest:.3f} s at most, the locked session's own turn {seconds:.2f} s")
    assert slowest < 1
    assert (refusal["code"], refusal["status_code"]) == ("unavailable", 503)
    assert seconds < LOCK_TIMEOUT + 1


def test_once_the_lock_is_gone_the_session_goes_on(stage: Stage, one: Web) -> None:
    own = stage.talk(one, "brief")
    own.say("Make the session.")
    with ThreadPoolExecutor() as pool:
        with locked(stage, own.session_id):
            waiting = pool.submit(timed, own)
            time.sleep(1)
        seconds, end = waiting.result()
    assert (end["status"], 1 < seconds < 2) == ("complete", True)
    assert [m.sequence for m in stage.messages(own.session_id)] == [1, 2, 3, 4]


def test_a_crowd_at_a_locked_session_stalls_no_stranger_either(stage: Stage, one: Web) -> None:
    own = stage.talk(one, "brief")
    own.say("Make the session.")
    crowd = [stage.talk(one, "brief") for _ in range(20)]
    for talk in crowd:
        talk.session_id = own.session_id
    with locked(stage, own.session_id), ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(timed, talk) for talk in crowd]
        time.sleep(0.3)
        slowest = strangers(stage, one)
    print(f"strangers took {slowest:.3f} s at most beside a crowd of 20 at a locked session")
    assert slowest < 1
    assert all(
        future.result()[1].get("code") in ("unavailable", "turn_in_progress", None) for future in waiting
    )
