"""Retry budgets with real connections: what is tried again stays a share of the calls, and what is not is counted."""

from harness import RawClient, command, wait_for
from harness.spool import operate, spooled, start

# What a budget is (`RetryBudget`): tokens, a share of the calls, and so many in ten seconds at any rate.
TOKENS, COST_OF_A_CONNECTION, SHARE, ALWAYS = 500, 14, 0.2, 10


def retries(tacho, operation):
    """(made, refused by the budget, all that were asked for)."""
    seen = tacho.metrics()

    def count(**labels):
        return int(seen.sum("tacho_retries_total", operation=operation, **labels))

    return count(outcome="retried"), count(outcome="budget") + count(outcome="tokens"), count()


def test_connections_to_an_upstream_that_refuses_are_tried_again_within_the_budget(world, receiver):
    server = world.redis()
    server.kill()
    tacho = world.tacho(server, receiver, settings={
        "threads": 1, "resilience": {"breaker": "off", "connect_patience_milliseconds": 1_000}})
    clients = [RawClient(tacho.address) for _ in range(60)]
    for client in clients:
        client.send(command("PING"))
    for client in clients:
        assert client.rest().startswith(b"-ERR tacho: upstream "), "an error that says so, in the end"
        client.close()
    made, refused, asked = retries(tacho, "connect")
    # Each client's last try was not repeated, and each retry is a try that failed as well.
    assert asked == len(clients) + made and refused > 0
    assert 0 < made <= min(TOKENS // COST_OF_A_CONNECTION, ALWAYS + SHARE * (len(clients) + made))
    # A destination that is well again has not used its budget up for ever.
    server.restart()
    assert tacho.client().ping()


def test_a_forwarder_on_a_bad_network_keeps_to_its_budget_and_loses_nothing(world, receiver):
    server = world.redis()
    network = world.relay(server.address)
    tacho = start(world, network.address, receiver, call_timeout_milliseconds=5_000)
    client, direct = tacho.client(), server.client()
    client.xadd("orders", {"n": 0})
    operate(tacho, "open")
    wait_for(lambda: client.xadd("orders", {"n": 0}) and spooled(tacho), what="a spooled message")
    waits = int(spooled(tacho))
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1, 150):
            pipeline.xadd("orders", {"n": number})
        pipeline.execute()
    client.close()
    network.delay(0.03)
    # The budget alone is to decide.
    operate(tacho, "close", "upstream")
    operate(tacho, "close")
    arrived = direct.xlen("orders")

    def breaks_again():
        """The connection breaks whenever a message has passed, mostly before anybody has heard of it."""
        nonlocal arrived
        if direct.xlen("orders") == arrived:
            return False
        network.reset()
        arrived = direct.xlen("orders")
        return retries(tacho, "forward")[1] > 0

    wait_for(breaks_again, what="a retry that is refused", every=0.002)
    made, refused, asked = retries(tacho, "forward")
    seen = tacho.metrics()
    calls = seen.sum("tacho_spool_forwarded_total") + asked
    assert made + refused == asked
    assert 0 < made <= ALWAYS * (2 + seen.sum("tacho_spool_age_seconds") // 10) + SHARE * calls
    assert spooled(tacho) > 0, "it was the budget that stopped it"
    network.heal()
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    numbers = [int(fields["n"]) for _, fields in direct.xrange("orders")]
    assert [number for number in numbers if number] == list(range(1, 150)) and waits >= 1
