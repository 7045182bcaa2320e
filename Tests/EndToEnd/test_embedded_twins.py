"""The embedded log answers as a real Redis does, byte for byte: the same commands to both, side by side."""

import os

import pytest

from harness import RawClient, command
from harness.twins import Twins, random_commands

PLAIN = {"inject": "never", "deliver": "keep"}


@pytest.fixture
def embedded(world):
    """The program with its own log, adding nothing to messages."""
    return world.tacho("embedded", context=PLAIN)


@pytest.fixture
def twins(world, redis_server, embedded):
    def connect(protocol=2):
        real, own = world.keep(RawClient(redis_server.address)), world.keep(embedded.raw())
        if protocol == 3:
            for connection in (real, own):
                connection.call("HELLO", "3")
        return Twins(real, own)
    return connect


APPENDING = """
XADD s 1-1 a 1 b 2
XADD s 1-1 a 1
XADD s 0-0 a 1
XADD s 1-* a 2
XADD s 1 a 3
XADD s 2 a 3
XADD s 3-* a 4
XADD s 18446744073709551615-18446744073709551615 z z
XADD s * a b
XADD s 5-5 a
XADD s 5-5 a b c
XADD s abc a b
XADD s 1-x a b
XADD s - a b
XADD s
XADD
XADD none NOMKSTREAM * a b
XADD t MAXLEN 2 1-1 a b
XADD t MAXLEN = 2 1-2 a b
XADD t MAXLEN ~ 2 1-3 a b
XADD t MAXLEN 2 LIMIT 5 1-4 a b
XADD t MAXLEN ~ 2 LIMIT 5 1-4 a b
XADD t LIMIT 5 1-5 a b
XADD t MAXLEN -1 1-5 a b
XADD t MAXLEN x 1-5 a b
XADD t MAXLEN 1 MINID 1 1-5 a b
XADD t MINID 1-3 1-5 a b
XADD t MAXLEN 1
XLEN t
XLEN none
XRANGE t - +
XTRIM t MAXLEN 1
XTRIM t MAXLEN
XTRIM t
XTRIM t LIMIT 3
XTRIM t MAXLEN 0
XINFO STREAM t
XLEN t
TYPE t
TYPE none
XDEL s 1-1 1-1 7-7
XDEL none 1-1
XDEL s x
XSETID s 1-1
XSETID none 1-1
XSETID s 18446744073709551615-18446744073709551615 ENTRIESADDED 1
XSETID t 9-9 ENTRIESADDED 100 MAXDELETEDID 3-3
XSETID t 9-9 MAXDELETEDID 10-0
XSETID t 2-9
XSETID t 9-9 ENTRIESADDED -1
XSETID t 9-9 FOO
XINFO STREAM t
"""

READING = """
XADD s 1-1 a 1
XADD s 1-2 a 2
XADD s 2-1 a 3
XADD s 3-1 a 4
XRANGE s - + COUNT 2
XRANGE s - + COUNT 0
XRANGE s - + COUNT -1
XRANGE s - + COUNT x
XRANGE s - + COUNT
XRANGE s - + FOO 1
XRANGE none - + COUNT 0
XRANGE s 1 1
XRANGE s (1-1 (3-1
XRANGE s (18446744073709551615-18446744073709551615 +
XRANGE s - (0-0
XRANGE s (- +
XRANGE s x +
XREVRANGE s + - COUNT 1
XREVRANGE s 2 1
XREVRANGE s - +
XREAD STREAMS s 0
XREAD COUNT 1 STREAMS s 1-1
XREAD COUNT 0 STREAMS s 1-1
XREAD COUNT -1 STREAMS s 3
XREAD STREAMS s none 0 0
XREAD STREAMS s $
XREAD STREAMS s >
XREAD STREAMS s
XREAD STREAMS s t 0
XREAD COUNT 1
XREAD COUNT 1 s 0
XREAD BLOCK -1 STREAMS s 0
XREAD BLOCK x STREAMS s 0
XREAD BLOCK 10 STREAMS s $
XREAD GROUP g c STREAMS s 0
XREAD NOACK STREAMS s 0
XDEL s 3-1
XREAD STREAMS s 2-1
XINFO STREAM s
XINFO STREAM s FULL
XINFO STREAM s FULL COUNT 1
XINFO STREAM s FULL COUNT
XINFO STREAM s COUNT 1
XINFO STREAM none
XINFO FOO s
XINFO
XINFO STREAM
"""

GROUPS = """
XGROUP CREATE none g $
XGROUP CREATE s g $ MKSTREAM
XGROUP CREATE s g $
XGROUP CREATE s h 0-0 ENTRIESREAD 0
XGROUP CREATE s i x
XGROUP CREATE s i 0 ENTRIESREAD -5
XGROUP CREATE s i 0 FOO
XGROUP CREATE s
XGROUP FOO s g
XGROUP
XINFO STREAM s
XADD s 1-1 a 1
XADD s 1-2 a 2
XADD s 1-3 a 3
XADD s 1-4 a 4
XREADGROUP GROUP g alice COUNT 2 STREAMS s >
XREADGROUP GROUP g bob STREAMS s >
XREADGROUP GROUP g bob STREAMS s >
XREADGROUP GROUP g bob BLOCK 10 STREAMS s >
XREADGROUP GROUP g alice STREAMS s 0
XREADGROUP GROUP g alice COUNT 1 STREAMS s 0
XREADGROUP GROUP g alice STREAMS s 1-1
XREADGROUP GROUP g carol STREAMS s 0
XREADGROUP GROUP nope alice STREAMS s >
XREADGROUP GROUP g alice STREAMS none >
XREADGROUP GROUP g alice STREAMS s $
XREADGROUP GROUP g alice STREAMS s x
XREADGROUP GROUP g alice STREAMS s
XREADGROUP COUNT 1 BLOCK 1 STREAMS s >
XREADGROUP GROUP h alice NOACK STREAMS s >
XPENDING s g
XPENDING s h
XPENDING s nope
XPENDING none g
XPENDING s g - + 10
XPENDING s g - + 1
XPENDING s g - + -1
XPENDING s g - + 10 alice
XPENDING s g - + 10 nobody
XPENDING s g IDLE 100000 - + 10
XPENDING s g IDLE 0 - + 10 bob
XPENDING s g (1-1 + 10
XPENDING s g - +
XPENDING s g - + x
XPENDING s g x + 1
XPENDING s g IDLE x - + 1
XPENDING s g - + 10 alice foo
XACK s g 1-1
XACK s g 1-1 9-9
XACK s nope 1-1
XACK none g 1-1
XACK s g x
XACK s g
XINFO GROUPS s
XINFO CONSUMERS s g
XINFO CONSUMERS s nope
XINFO CONSUMERS none g
XINFO CONSUMERS s
XINFO GROUPS none
XINFO STREAM s FULL
XCLAIM s g carol 0 1-2
XCLAIM s g carol 0 1-2 JUSTID
XCLAIM s g dave 0 1-2 1-3 RETRYCOUNT 7
XCLAIM s g dave 1000000 1-2
XCLAIM s g dave 0 1-1
XCLAIM s g dave 0 1-1 FORCE
XCLAIM s g dave 0 9-9 FORCE
XCLAIM s g dave 0 1-4 IDLE 5 TIME 3
XCLAIM s g dave 0 1-4 LASTID 5-5
XCLAIM s g dave x 1-4
XCLAIM s g dave 0 1-4 FOO
XCLAIM s g dave 0 1-4 RETRYCOUNT x
XCLAIM s nope dave 0 1-4
XCLAIM none g dave 0 1-4
XCLAIM s g dave 0
XPENDING s g - + 10
XDEL s 1-3
XREADGROUP GROUP g dave STREAMS s 0
XAUTOCLAIM s g erin 0 - COUNT 2
XAUTOCLAIM s g erin 0 0
XAUTOCLAIM s g erin 0 0 JUSTID
XAUTOCLAIM s g erin 1000000 0
XAUTOCLAIM s g erin 0 (1-2
XAUTOCLAIM s g erin 0 0 COUNT 0
XAUTOCLAIM s g erin 0 0 COUNT x
XAUTOCLAIM s g erin 0 0 FOO
XAUTOCLAIM s g erin x 0
XAUTOCLAIM s g erin 0 x
XAUTOCLAIM s nope erin 0 0
XAUTOCLAIM s g erin 0
XPENDING s g - + 10
XINFO GROUPS s
XGROUP SETID s g 1-2
XGROUP SETID s g - ENTRIESREAD 1
XGROUP SETID s nope 0
XGROUP SETID none g 0
XGROUP SETID s g 0 MKSTREAM
XINFO GROUPS s
XGROUP CREATECONSUMER s g zoe
XGROUP CREATECONSUMER s g zoe
XGROUP CREATECONSUMER s nope zoe
XGROUP CREATECONSUMER none g zoe
XGROUP DELCONSUMER s g erin
XGROUP DELCONSUMER s g nobody
XGROUP DELCONSUMER s nope erin
XGROUP DESTROY s h
XGROUP DESTROY s h
XGROUP DESTROY none h
XINFO STREAM s FULL
"""

KEYS = """
EXISTS s
XADD s 1-1 a b
XADD t 1-1 a b
EXISTS s t none s
DBSIZE
TYPE s
TTL s
TTL none
PTTL none
EXPIRE s 100
TTL s
EXPIRE s 10 NX
EXPIRE s 200 GT
EXPIRE s 100 GT
EXPIRE s 50 LT
EXPIRE s 50 XX
EXPIRE none 50
EXPIRE s x
EXPIRE s 10 FOO
EXPIRE s 10 NX XX
EXPIRE s 10 GT LT
EXPIRE s 9223372036854775807
PERSIST s
PERSIST s
EXPIRETIME s
EXPIREAT s 1999999999
EXPIRETIME s
PEXPIRETIME s
PEXPIREAT s 1999999999123
EXPIRETIME s
PEXPIRETIME s
EXPIRE s -1
EXISTS s
KEYS t*
KEYS *
KEYS [^t]
SCAN 0
SCAN 0 MATCH x*
SCAN 0 TYPE string
SCAN 0 TYPE stream COUNT 100
SCAN x
SCAN 0 COUNT 0
SCAN 0 FOO
DEL t none
UNLINK t
TOUCH t
DBSIZE
FLUSHALL
FLUSHDB FOO
"""

CONNECTION = """
PING
PING hello
PING a b
ECHO x
ECHO
ECHO a b
SELECT 0
SELECT x
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT FOO
CLIENT
CLIENT SETNAME
CLIENT NO-EVICT on
CLIENT NO-EVICT maybe
CLIENT UNBLOCK x
CLIENT UNBLOCK 999999
CLIENT KILL ID x
CLIENT KILL ID 999999
AUTH x
AUTH default x
AUTH other x
AUTH a b c
HELLO x
HELLO 4
HELLO 2 FOO
CONFIG GET databases-none
CONFIG FOO
CONFIG
PUBLISH c m
PUBLISH c
PUBSUB CHANNELS
PUBSUB NUMSUB c d
PUBSUB NUMPAT
PUBSUB FOO
MULTI
MULTI
XADD s 1-1 a 1
XADD s 1-1 a 1
XADD s 1-2 a
XLEN s
XREAD BLOCK 0 STREAMS s $
PING
PUBLISH c m
CLIENT GETNAME
EXEC
EXEC
DISCARD
MULTI
XADD s
XLEN s
EXEC
MULTI
XADD s 5-1 a 1
DISCARD
XLEN s
WATCH s
XADD s 6-1 a 1
MULTI
XLEN s
EXEC
WATCH s t
MULTI
XLEN s
EXEC
WATCH s
UNWATCH
MULTI
WATCH s
EXEC
WATCH
WATCH none
MULTI
XADD none 1-1 a b
EXEC
MULTI
EXEC
RESET
CLIENT GETNAME
"""


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("script", [APPENDING, READING, GROUPS, KEYS, CONNECTION],
                         ids=["appending", "reading", "groups", "keys", "connection"])
def test_scripts_are_answered_alike(twins, script, protocol):
    pair = twins(protocol)
    differences = []
    for line in script.strip().splitlines():
        if protocol == 3 and line == "RESET":
            break  # back to RESP2
        differences += pair.difference(*line.split())
    assert not differences, "\n\n".join(differences)


SEEDS = int(os.environ.get("TACHO_E2E_TWIN_SEEDS", "6"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_commands_are_answered_alike(twins, seed):
    pair = twins(protocol=2 + seed % 2)
    for words in random_commands(seed, 1500):
        pair.same(*words)


def test_pipelines_are_answered_in_order(twins):
    pair = twins()
    data = b"".join(command("XADD", "s", f"{number}-1", "n", number) + command("XLEN", "s") + command("PING", number)
                    for number in range(1, 300))
    pair.same_bytes(data, replies=3 * 299)


def test_a_command_byte_by_byte_and_inline(twins):
    pair = twins()
    pair.same_bytes(b"PING\r\n", 1)
    pair.same_bytes(b"XADD s 1-1 'a b' \"c\\x41\"\r\nXRANGE s - +\r\n", 2)
    pair.same_bytes(b"\r\n\r\nPING\r\n", 1)
    for connection in pair.pair:
        connection.drip(command("XADD", "s", "2-2", "field", "value"))
    assert pair.pair[0].reply() == pair.pair[1].reply()
    pair.same_bytes(b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", 1)


def test_binary_names_and_values(twins):
    pair = twins()
    odd = bytes(range(256))
    pair.same("XADD", odd, "1-1", odd, odd + odd)
    pair.same("XADD", "s", "1-1", "", "")
    pair.same("XRANGE", odd, "-", "+")
    pair.same("XGROUP", "CREATE", odd, b"g\xff", "0")
    pair.same("XREADGROUP", "GROUP", b"g\xff", b"\x00", "STREAMS", odd, ">")
    pair.same("XPENDING", odd, b"g\xff")
    pair.same("XADD", "big", "1-1", "f", b"x" * 5_000_000)
    pair.same("XRANGE", "big", "-", "+")


@pytest.mark.parametrize("protocol", [2, 3])
def test_subscribers_get_what_is_published(twins, protocol):
    listening, talking = twins(protocol), twins(protocol)
    listening.same("SUBSCRIBE", "news")
    listening.same("PSUBSCRIBE", "n*")
    if protocol == 2:
        listening.same("XLEN", "s")
    listening.same("PING")
    listening.same("PING", "x")
    talking.same("PUBLISH", "news", "hello")
    for _ in range(2):
        first, second = (connection.reply() for connection in listening.pair)
        assert first == second
    talking.same("PUBLISH", "nothing", "hello")
    first, second = (connection.reply() for connection in listening.pair)
    assert first == second
    talking.same("PUBSUB", "CHANNELS")
    talking.same("PUBSUB", "NUMSUB", "news", "other")
    talking.same("PUBSUB", "NUMPAT")
    listening.same("UNSUBSCRIBE", "news")
    listening.same("PUNSUBSCRIBE")
    listening.same("UNSUBSCRIBE")
    listening.same("SSUBSCRIBE", "shard")
    talking.same("SPUBLISH", "shard", "x")
    first, second = (connection.reply() for connection in listening.pair)
    assert first == second
    listening.same("SUNSUBSCRIBE", "shard")
    listening.same("PING")


@pytest.mark.parametrize("protocol", [2, 3])
def test_blocking_reads_get_what_comes_later(twins, protocol):
    waiting, talking = twins(protocol), twins(protocol)
    talking.same("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    for words in (["XREADGROUP", "GROUP", "g", "a", "BLOCK", "0", "STREAMS", "s", ">"],
                  ["XREAD", "BLOCK", "0", "STREAMS", "s", "t", "$", "$"],
                  ["XREAD", "BLOCK", "20000", "COUNT", "1", "STREAMS", "s", "$"]):
        for connection in waiting.pair:
            connection.send(command(*words) + command("PING"))
        wait_until_blocked(talking)
        talking.same("XADD", "t" if "t" in words else "s", f"{len(talking.told) + 1}-1", "f", "v")
        first, second = (connection.replies(2) for connection in waiting.pair)
        assert first == second
        assert first[1] == b"+PONG\r\n"


def wait_until_blocked(talking):
    for connection in talking.pair:
        for _ in range(2000):
            if b"blocked_clients:1\r\n" in connection.call("INFO", "clients"):
                break
        else:
            raise AssertionError("nobody waits")
