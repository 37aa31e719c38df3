"""An incremental splitter of server-sent events (WHATWG HTML, section 9.2): bytes in, data fields out.

Only the data of each event matters to a model's stream; other fields and comments are passed over.
"""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Gives the data of every event that is complete, wherever the reads happened to fall."""

    __slots__ = ("_after_cr", "_held", "held_bytes")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._after_cr = False
        self.held_bytes = 0

    @property
    def is_idle(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._held or self._after_cr)

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that these bytes complete, in order; empty data is left out."""
        if self.is_idle and data.startswith(b"data: ") and data.endswith(b"\n\n"):
            whole = data[6:-2].split(b"\n\ndata: ")
            if data.count(b"\n") == 2 * len(whole) and b"\r" not in data:
                return whole  # nothing but whole events of one plain data line each: nearly every read
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if not self._completes(data):
            self._hold(data)
            return []
        blocks = b"".join((*self._held, data)).split(b"\n\n")
        self._held, self.held_bytes = [], 0
        self._hold(blocks.pop())
        return [found for block in blocks if (found := event_data(block))]

    def rest(self) -> list[bytes]:
        """At the end of the stream: the data of a last event that lacks its blank line."""
        found = event_data(b"".join(self._held))
        self._held, self.held_bytes = [], 0
        return [found] if found else []

    def _completes(self, data: bytes) -> bool:
        """Is the end of an event in these bytes? Joining only then keeps a long event linear."""
        if b"\n\n" in data:
            return True
        return data.startswith(b"\n") and bool(self._held) and self._held[-1].endswith(b"\n")

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self.held_bytes += len(data)

    def _with_line_feeds(self, data: bytes) -> bytes:
        """CRLF and CR count as LF; a pair may be torn apart by the reads."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def event_data(block: bytes) -> bytes:
    """The data lines of one event, joined; empty where it has none."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = block.removeprefix(BOM).split(b"\n")
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
