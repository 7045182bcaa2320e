"""The same commands to a real Redis and to the embedded log, and their replies side by side."""

import random

from .raw import command, parse

KEYS = ["s", "t", "none"]
GROUPS = ["g", "h"]
CONSUMERS = ["a", "b"]


class Twins:
    """Two raw connections that must answer alike, byte for byte, but for what `forget` takes out."""

    def __init__(self, real, embedded):
        self.pair = (real, embedded)
        self.told = []

    def difference(self, *words):
        """What is unlike in the replies to a command; empty when nothing is."""
        try:
            self.same(*words)
            return []
        except AssertionError as error:
            return [str(error)]

    def same(self, *words):
        self.told.append(words)
        real, embedded = (connection.call(*words) for connection in self.pair)
        if forgettable(words):
            real, embedded = (forget(words, parse(reply)) for reply in (real, embedded))
        assert embedded == real, f"after {len(self.told) - 1} commands: {' '.join(map(str, words))}\n" \
                                 f"Redis:    {real!r}\nembedded: {embedded!r}\nbefore: {self.told[-12:]}"
        return real

    def same_bytes(self, data, replies):
        """Bytes as they are, and so many replies to them."""
        for connection in self.pair:
            connection.send(data)
        real, embedded = (connection.replies(replies) for connection in self.pair)
        assert embedded == real, f"{data!r}\nRedis:    {real!r}\nembedded: {embedded!r}"


def forgettable(words):
    """Whether the reply holds times or the shape of a tree that only Redis has."""
    name = str(words[0]).upper()
    return name == "XINFO" or (name == "XPENDING" and len(words) > 3) or name in ("TTL", "PTTL")


def forget(words, reply):
    name = str(words[0]).upper()
    if not isinstance(reply, list):
        return "a number" if name in ("TTL", "PTTL") and isinstance(reply, int) and reply > 0 else reply
    if name == "XPENDING":
        return [[row[0], row[1], "idle", row[3]] for row in reply]
    return _without_times(reply)


TIMES = {b"idle", b"seen-time", b"radix-tree-keys", b"radix-tree-nodes"}


def _without_times(value):
    if isinstance(value, tuple):
        return tuple(_without_times(item) for item in value)
    if not isinstance(value, list):
        return "a time" if isinstance(value, int) and value > 1_000_000_000_000 else value
    if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
        return [(key, "*" if key in TIMES else _without_times(item)) for key, item in value]
    out = [_without_times(item) for item in value]
    for index in range(len(out) - 1):
        if isinstance(out[index], bytes) and out[index] in TIMES:
            out[index + 1] = "*"
    return out


def random_command(dice):
    """One command on a small world of keys, groups, consumers and ids; often wrong, sometimes nonsense."""
    key, group, consumer = dice.choice(KEYS), dice.choice(GROUPS), dice.choice(CONSUMERS)

    def entry():
        return f"{dice.randint(0, 6)}-{dice.randint(0, 4)}"

    def count(*words):
        return list(words) if dice.random() < 0.4 else []

    def bound(end):
        return dice.choice([end, entry(), f"({entry()}", str(dice.randint(0, 6))])

    def ids(most=3):
        return [entry() for _ in range(dice.randint(1, most))]

    number = str(dice.randint(0, 4))
    return dice.choice([
        lambda: ["XADD", key, *dice.choice([[], ["MAXLEN", number], ["MINID", entry()], ["NOMKSTREAM"]]),
                 dice.choice([entry(), f"{dice.randint(0, 6)}-*", f"{dice.randint(3, 9)}"]), "f", number],
        lambda: ["XADD", key, f"{dice.randint(4, 12)}-*", "f", number],
        lambda: ["XLEN", key],
        lambda: ["XRANGE", key, bound("-"), bound("+"), *count("COUNT", number)],
        lambda: ["XREVRANGE", key, bound("+"), bound("-"), *count("COUNT", number)],
        lambda: ["XREAD", *count("COUNT", number), "STREAMS", key, dice.choice([entry(), "$", "0"])],
        lambda: ["XREAD", "STREAMS", "s", "t", entry(), entry()],
        lambda: ["XGROUP", "CREATE", key, group, dice.choice(["$", "0", entry()]), *count("MKSTREAM")],
        lambda: ["XGROUP", "SETID", key, group, dice.choice(["$", "0", entry()]), *count("ENTRIESREAD", number)],
        lambda: ["XGROUP", "CREATECONSUMER", key, group, consumer],
        lambda: ["XGROUP", "DELCONSUMER", key, group, consumer],
        lambda: ["XGROUP", "DESTROY", key, group],
        lambda: ["XREADGROUP", "GROUP", group, consumer, *count("COUNT", number), *count("NOACK"), "STREAMS", key, ">"],
        lambda: ["XREADGROUP", "GROUP", group, consumer, *count("COUNT", "2"), "STREAMS", key, ">"],
        lambda: ["XREADGROUP", "GROUP", group, consumer, "STREAMS", key, dice.choice(["0", entry()])],
        lambda: ["XACK", key, group, *ids()],
        lambda: ["XPENDING", key, group],
        lambda: ["XPENDING", key, group, bound("-"), bound("+"), number, *count(consumer)],
        lambda: ["XCLAIM", key, group, consumer, "0", *ids(), *count("RETRYCOUNT", number), *count("FORCE"),
                 *count("JUSTID"), *count("LASTID", entry())],
        lambda: ["XAUTOCLAIM", key, group, consumer, "0", bound("-"), *count("COUNT", "2"), *count("JUSTID")],
        lambda: ["XDEL", key, *ids()],
        lambda: ["XTRIM", key, dice.choice(["MAXLEN", "MINID"]), number],
        lambda: ["XSETID", key, entry(), *count("ENTRIESADDED", number), *count("MAXDELETEDID", entry())],
        lambda: ["XINFO", "STREAM", key, *dice.choice([[], ["FULL"], ["FULL", "COUNT", number]])],
        lambda: ["XINFO", "GROUPS", key],
        lambda: ["XINFO", "CONSUMERS", key, group],
        lambda: ["TYPE", key],
        lambda: ["EXISTS", "s", "t", key],
        lambda: ["DEL", key] if dice.random() < 0.3 else ["TTL", key],
    ])()


def random_commands(seed, length):
    dice = random.Random(seed)
    return [random_command(dice) for _ in range(length)]


def pipeline(commands):
    return b"".join(command(*words) for words in commands)
