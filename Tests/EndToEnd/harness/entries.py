"""Stream entries as Redis holds them, seen past the program."""

import re

from .raw import RawClient

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[0-3]")


def pairs(flat):
    """A flat field list as pairs, in order and with repetitions, as text."""
    words = [word.decode(errors="backslashreplace") for word in flat]
    return list(zip(words[::2], words[1::2]))


def stored(server, stream="orders"):
    """[(entry id, [(field, value), ...]), ...] read straight from the server."""
    with RawClient(server.address) as raw:
        return [(entry_id.decode(), pairs(fields)) for entry_id, fields in raw.ask("XRANGE", stream, "-", "+")]


def injected_context(fields, original):
    """The context behind the original fields: checks that exactly two fields came after them."""
    assert fields[:len(original)] == original, f"the entry's own fields changed: {fields}"
    added = dict(fields[len(original):])
    assert len(fields) == len(original) + 2 and set(added) == {"traceparent", "correlationid"}, fields
    match = TRACEPARENT.fullmatch(added["traceparent"])
    assert match, added
    assert added["correlationid"], "an empty correlation id"
    return match.groups(), added["correlationid"]
