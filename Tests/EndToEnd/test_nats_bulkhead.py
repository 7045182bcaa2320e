"""Requests that wait for a place among those under way, with a real server and real clients."""

import asyncio

import pytest
from nats.errors import NoRespondersError

from harness import NatsApp, collect, run, until

WORK = "work"
LABELS = {"messaging_destination_name": WORK, "operation": "publish"}


def start(world, nats, **bulkhead):
    """One request to a destination may be under way."""
    return world.tacho(nats, settings={"resilience": {"bulkhead": {"min": 1, "max": 1, **bulkhead}}})


class Worker:
    """Answers requests once it is told to, on a connection past the program. `seen` is what came by any subject."""

    @classmethod
    async def begin(cls, nats):
        worker = cls()
        worker.seen = []
        worker.may_answer = asyncio.Event()
        worker.app = await NatsApp.connect(nats)
        await worker.app.subscribe(">", cb=worker._note)
        await worker.app.subscribe(WORK, cb=worker._answer)
        await worker.app.flush()
        return worker

    async def _note(self, message):
        if not message.subject.startswith("_INBOX"):
            self.seen.append((message.subject, message.data))

    async def _answer(self, message):
        await self.may_answer.wait()
        await message.respond(b"done " + message.data)


async def asking(app, *bodies):
    """Requests in this order, each as a task."""
    tasks = []
    for body in bodies:
        tasks.append(asyncio.create_task(app.request(WORK, body, timeout=20)))
        await asyncio.sleep(0)
    return tasks


def waiting(tacho):
    return tacho.metrics().sum("tacho_bulkhead_waiting", **LABELS)


def limited(tacho):
    return tacho.metrics().sum("tacho_bulkhead_limit", **LABELS)


async def warm_up(tacho, app, worker):
    """The first request makes the guard, and the next beat its limit."""
    worker.may_answer.set()
    await app.request(WORK, b"0", timeout=20)
    await until(lambda: limited(tacho) == 1, what="the limit")
    worker.may_answer.clear()
    worker.seen.clear()


def test_a_request_waits_for_its_place_and_the_connection_with_it(world, nats):
    tacho = start(world, nats, wait_milliseconds=20_000)

    async def scenario():
        worker, app = await Worker.begin(nats), await NatsApp.connect(tacho)
        news = await app.subscribe("news")
        await warm_up(tacho, app, worker)
        first, second = await asking(app, b"1", b"2" * 50_000)
        await app.publish("later", b"3")
        await until(lambda: waiting(tacho) == 1, what="the second request to wait")
        # The other direction goes on.
        await worker.app.publish("news", b"hello")
        [message] = await collect(news, 1)
        assert message.data == b"hello"
        await until(lambda: (WORK, b"1") in worker.seen, what="the first request")
        assert [subject for subject, _ in worker.seen if subject != "news"] == [WORK]
        worker.may_answer.set()
        assert (await first).data == b"done 1"
        assert (await second).data == b"done " + b"2" * 50_000
        await until(lambda: len(worker.seen) == 4, what="all messages")
        assert [subject for subject, _ in worker.seen if subject != "news"] == [WORK, WORK, "later"]
        await until(lambda: waiting(tacho) == 0, what="nobody to wait")
        assert tacho.metrics().sum("tacho_bulkhead_rejected_total", **LABELS) == 0

    run(scenario())


def test_who_finds_no_place_in_time_is_told_so(world, nats):
    tacho = start(world, nats, wait_milliseconds=100, queue=1)

    async def scenario():
        worker, app = await Worker.begin(nats), await NatsApp.connect(tacho)
        await warm_up(tacho, app, worker)
        others = [await NatsApp.connect(tacho) for _ in range(3)]
        [first] = await asking(app, b"1")
        await until(lambda: (WORK, b"1") in worker.seen, what="the first request")
        refused = [task for other in others for task in await asking(other, b"2")]
        for task in refused:
            with pytest.raises(NoRespondersError):
                await task
        assert tacho.metrics().sum("tacho_bulkhead_rejected_total", **LABELS) == 3
        worker.may_answer.set()
        assert (await first).data == b"done 1"
        assert (await others[0].request(WORK, b"4", timeout=20)).data == b"done 4"
        assert [body for _, body in worker.seen] == [b"1", b"4"]

    run(scenario())
