"""Bytes in are bytes out: the same commands, once straight to Redis and once through the program."""

import random
import threading

import pytest

from harness import RawClient, command, wait_for


@pytest.fixture
def redis_server(world):
    """Looks at its timers often, so that the many short blocking reads of the mix end soon."""
    return world.redis("--hz", "500")


class Mix:
    """Seeded commands of all kinds whose replies depend on nothing but what was sent before."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.last_entry = {}

    def key(self, kind):
        return f"{kind}{self.random.randrange(6)}"

    def word(self):
        length = self.random.choice([0, 1, 3, 10, 10, 10, 200, 5000, 70_000 if self.random.random() < 0.05 else 30])
        return self.random.choice([b"\r\n", b"$-1\r\n", b"x", b"\x00\xff", b"*3\r\n"]) * (length // 2 + 1)

    def entry(self, stream):
        milliseconds, sequence = self.last_entry.get(stream, (1_700_000_000_000, 0))
        step = self.random.randrange(3)
        entry_id = (milliseconds + step, 0 if step else sequence + 1)
        self.last_entry[stream] = entry_id
        return f"{entry_id[0]}-{entry_id[1]}"

    def commands(self, count):
        makers = [
            self.strings, self.strings, self.lists, self.hashes, self.sorted_sets, self.streams, self.streams,
            self.streams, self.groups, self.groups, self.mistakes, self.transaction, self.others]
        made = []
        while len(made) < count:
            made += self.random.choice(makers)()
        return [command(*words) for words in made]

    def strings(self):
        key = self.key("string")
        return [self.random.choice([
            ["SET", key, self.word()], ["GET", key], ["APPEND", key, self.word()[:100]], ["STRLEN", key],
            ["GETRANGE", key, "0", "20"], ["INCR", "counter"], ["INCRBYFLOAT", "real", "0.5"], ["DEL", key],
            ["MGET", self.key("string"), key, "missing"], ["SET", key, "v", "GET"], ["EXISTS", key],
            ["MSET", key, self.word(), self.key("string"), "v"], ["SETBIT", "bits", "77", "1"], ["BITCOUNT", "bits"]])]

    def lists(self):
        key = self.key("list")
        return [self.random.choice([
            ["RPUSH", key, self.word(), "b"], ["LRANGE", key, "0", "-1"], ["LPOP", key], ["LLEN", key],
            ["LPOS", key, "b"], ["BLPOP", "empty", "0.001"], ["BLPOP", key, "0.001"], ["LMPOP", "1", key, "LEFT"]])]

    def hashes(self):
        key = self.key("hash")
        return [self.random.choice([
            ["HSET", key, f"f{self.random.randrange(5)}", self.word()[:40]], ["HGET", key, "f1"],
            ["HMGET", key, "f1", "f2"],
            ["HLEN", key], ["HINCRBY", key, "n", "3"], ["HEXISTS", key, "f1"], ["HDEL", key, "f3"]])]

    def sorted_sets(self):
        key = self.key("zset")
        return [self.random.choice([
            ["ZADD", key, str(self.random.randrange(100)), f"m{self.random.randrange(9)}"], ["ZSCORE", key, "m1"],
            ["ZRANGE", key, "0", "-1", "WITHSCORES"], ["ZRANK", key, "m2"], ["ZINCRBY", key, "1.5", "m3"],
            ["ZPOPMIN", key], ["ZMSCORE", key, "m1", "m2", "missing"]])]

    def streams(self):
        stream = self.key("stream")
        name = self.random.choice(["XADD", "xadd", "Xadd"])
        return [self.random.choice([
            [name, stream, self.entry(stream), "f", self.word()],
            [name, stream, "MAXLEN", "~", "100", self.entry(stream), "f", self.word(), "g", "h"],
            [name, stream, "NOMKSTREAM", "MINID", "=", "1", self.entry(stream), "f", "v"],
            ["XLEN", stream], ["XRANGE", stream, "-", "+", "COUNT", "5"], ["XREVRANGE", stream, "+", "-", "COUNT", "2"],
            ["XREAD", "COUNT", "3", "STREAMS", stream, self.key("stream"), "0", "0"],
            ["XREAD", "BLOCK", "1", "STREAMS", "nothing", "$"], ["XTRIM", stream, "MAXLEN", "50"],
            ["XDEL", stream, "1700000000001-0"], ["XINFO", "STREAM", stream], ["XRANGE", stream, "-", "+"]])]

    def groups(self):
        stream, consumer = self.key("stream"), self.random.choice(["alice", "bob"])
        return [self.random.choice([
            ["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"],
            ["XREADGROUP", "GROUP", "g", consumer, "COUNT", "4", "STREAMS", stream, ">"],
            ["XREADGROUP", "GROUP", "g", consumer, "NOACK", "COUNT", "1", "STREAMS", stream, ">"],
            ["XREADGROUP", "GROUP", "g", consumer, "COUNT", "2", "STREAMS", stream, "0"],
            ["XACK", stream, "g", "1700000000001-0", "1700000000000-1"],
            ["XCLAIM", stream, "g", consumer, "0", "1700000000000-1", "1700000000000-2"],
            ["XAUTOCLAIM", stream, "g", consumer, "0", "0", "COUNT", "2"],
            ["XAUTOCLAIM", stream, "g", consumer, "0", "0", "JUSTID"],
            ["XPENDING", stream, "g"], ["XGROUP", "DESTROY", stream, "g"]])]

    def mistakes(self):
        return [self.random.choice([
            ["NOSUCHCOMMAND", self.word()[:50]], ["GET"], ["XADD", "stream0"], ["XADD", "string1", "*", "f"],
            ["INCR", self.key("list")], ["XADD", self.key("list") + "x", "0-0", "f", "v"], ["EXEC"], ["DISCARD"],
            ["XREAD", "STREAMS", "a", "b", "c"], ["EVAL", "return redis.error_reply('MY own')", "0"], ["HELLO", "9"],
            ["XREADGROUP", "GROUP", "nobody", "alice", "STREAMS", "stream1", ">"], ["CLIENT", "NOSUCH"]])]

    def transaction(self):
        inside = [each for maker in self.random.sample(
            [self.strings, self.streams, self.lists, self.groups, self.hashes], 3) for each in maker()]
        if self.random.random() < 0.2:
            inside.append(["NOSUCHCOMMAND"])
        watch = [["WATCH", "counter"]] if self.random.random() < 0.3 else []
        disturb = [["INCR", "counter"]] if watch and self.random.random() < 0.5 else []
        return watch + disturb + [["MULTI"], *inside, [self.random.choice(["EXEC", "EXEC", "EXEC", "DISCARD"])]]

    def others(self):
        return [self.random.choice([
            ["PING"], ["PING", self.word()[:30]], ["ECHO", self.word()], ["SELECT", "0"], ["TYPE", self.key("stream")],
            ["EVAL", "return {1, {2, 'three', {}}, false}", "0"], ["PUBLISH", "nobody", "hears"], ["DBSIZE"],
            ["EVAL", "return redis.call('XLEN', KEYS[1])", "1", self.key("stream")], ["SETRANGE", "s", "5", "abc"],
            ["HELLO", self.random.choice(["2", "3"])], ["CLIENT", "SETNAME", "mix"], ["CLIENT", "GETNAME"],
            ["OBJECT", "ENCODING", self.key("hash")], ["COMMAND", "COUNT"], ["WAIT", "0", "1"]])]


def without_connection_id(reply):
    """HELLO answers with the number of the connection, which is the one thing that may differ."""
    marker = b"$2\r\nid\r\n:"
    if (start := reply.find(marker)) < 0:
        return reply
    stop = reply.index(b"\r\n", start + len(marker))
    return reply[:start + len(marker)] + reply[stop:]


def answers(address, commands, cuts):
    """All replies to the commands, sent in writes that are cut at random places."""
    with RawClient(address, timeout=200) as raw:
        stream = b"".join(commands)

        def send():
            start = 0
            while start < len(stream):
                step = cuts.choice([1, 7, 100, 1500, 16_000, 100_000])
                raw.send(stream[start:start + step])
                start += step

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        replies = raw.replies(len(commands))
        sender.join(60)
        raw.send(command("ECHO", "the-end"))
        assert raw.reply() == b"$7\r\nthe-end\r\n", "replies and commands are out of step"
    return [without_connection_id(reply) for reply in replies]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_mix_is_answered_byte_for_byte(world, redis_server, receiver, direct, seed):
    tacho = world.tacho(redis_server, receiver, context={"inject": "never", "deliver": "keep"})
    commands = Mix(seed).commands(5000)
    expected = answers(redis_server.address, commands, random.Random(seed))
    direct.flushall()
    got = answers(tacho.address, commands, random.Random(seed + 1))
    for number, (ours, theirs) in enumerate(zip(got, expected)):
        assert ours == theirs, f"seed {seed}, reply {number} to {commands[number][:200]!r}"
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


@pytest.mark.parametrize("seed", [4])
def test_a_mix_is_answered_alike_with_injection_and_strip(world, redis_server, receiver, direct, seed):
    """With injection the stored lengths differ, but no reply of this mix shows them once they are stripped."""
    tacho = world.tacho(redis_server, receiver, context={"inject": "always", "deliver": "strip"})
    commands = Mix(seed).commands(3000)
    expected = answers(redis_server.address, commands, random.Random(seed))
    direct.flushall()
    got = answers(tacho.address, commands, random.Random(seed + 1))
    for number, (ours, theirs) in enumerate(zip(got, expected)):
        if b"radix-tree" not in theirs:
            assert ours == theirs, f"seed {seed}, reply {number} to {commands[number][:200]!r}"


@pytest.mark.parametrize("seed", [5])
def test_a_mix_in_crumbs_from_redis(world, redis_server, receiver, direct, seed):
    """The upstream's bytes arrive in pieces of three."""
    relay = world.relay(redis_server.address, crumb=3)
    tacho = world.tacho(relay, receiver, context={"inject": "never", "deliver": "strip"})
    commands = [each for each in Mix(seed).commands(600) if len(each) < 2000]
    expected = answers(redis_server.address, commands, random.Random(seed))
    direct.flushall()
    assert answers(tacho.address, commands, random.Random(seed)) == expected


def test_one_byte_at_a_time_in_both_directions(world, redis_server, receiver, direct):
    relay = world.relay(redis_server.address, crumb=1)
    tacho = world.tacho(relay, receiver)
    direct.xgroup_create("orders", "g", id="0", mkstream=True)
    with tacho.raw() as raw:
        raw.drip(command("HELLO", "3"))
        assert raw.reply().startswith(b"%")
        raw.drip(command("XADD", "orders", "*", "item", "book") + command("PING"))
        message_id = raw.reply().split(b"\r\n")[1].decode()
        assert raw.reply() == b"+PONG\r\n"
        raw.drip(command("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "orders", ">"))
        assert message_id.encode() in raw.reply()
        raw.drip(command("XACK", "orders", "g", message_id))
        assert raw.reply() == b":1\r\n"
    view = receiver.wait_for_names("xadd orders", "xreadgroup orders", "process orders", "xack orders")
    assert view.one("xadd orders")["messaging.message.id"] == message_id
    assert view.one("process orders").parent_id == view.one("xadd orders").span_id


@pytest.mark.parametrize("garbage", [
    b"*1\r\n$abc\r\n", b"*-5\r\n*9999999999\r\n", b"*1\r\n+PING\r\n", b"*2\r\n$99999999999999\r\n", b"*3\r\n\r\n\r\n",
    b"*18446744073709551616\r\n", b"*1\r\n$-9223372036854775808\r\n"], ids=repr)
def test_garbage_is_answered_by_redis_itself(redis_server, tacho, garbage):
    """What is not understood passes untouched, and the answer is the one that Redis gives."""
    with RawClient(redis_server.address) as raw:
        raw.send(garbage)
        raw.half_close()
        expected = raw.rest()
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"
        raw.send(garbage)
        raw.half_close()
        assert raw.rest() == expected
    if expected:
        wait_for(lambda: tacho.metrics().sum("tacho_sessions_opaque_total") == 1, what="the session to be counted")
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"


def test_random_bytes_never_harm_the_program(redis_server, tacho):
    chance = random.Random(11)
    for _ in range(150):
        data = bytes(chance.choice(b"*$:+-_\r\n0123456789XADD \x00\xff") for _ in range(chance.randrange(1, 300)))
        with tacho.raw() as raw:
            raw.send(data)
            raw.half_close()
            raw.rest()
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"
    assert tacho.is_running
    tacho.wait_for_metric("tacho_connections", 0)
