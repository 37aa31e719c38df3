"""A socket may be idle for as long as it answers pings; one that does not is closed.

The sockets (see conftest) are opened before the first fault and looked at here: Redis and PostgreSQL may have
been away in between.
"""

from __future__ import annotations

import struct

from .quiet import Quiet

PING, CLOSE = 0x89, 0x88


def test_a_socket_that_was_idle_for_fifteen_seconds_still_answers(quiet: Quiet) -> None:
    quiet.wait(15)
    assert quiet.idle.say("Still there?").end["status"] == "complete"


def test_a_socket_lives_for_as_long_as_it_is_pinged(quiet: Quiet) -> None:
    quiet.wait(45)
    assert quiet.idle.say("And still?").end["status"] == "complete"


def test_a_socket_that_answers_no_ping_is_closed(quiet: Quiet) -> None:
    quiet.wait(45)
    heard = quiet.deaf_heard()
    assert (heard[0], heard[6]) == (PING, CLOSE)
    assert struct.unpack("!H", heard[8:10]) == (1011,)
