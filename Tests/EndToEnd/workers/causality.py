"""Worker programs that take messages from `jobs` and publish to `results`, as applications are really written.

`python causality.py SHAPE ADDRESS`: ends when no job has come for a while. No worker copies any context. Each result
names its jobs in the field `of`, for the test to know the truth; the names are too short to count as ids of messages.
"""

import asyncio
import os
import random
import sys
import threading

import redis
import redis.asyncio

GROUP, JOBS, RESULTS = "workers", "jobs", "results"
WAIT_MILLISECONDS = 300


def options(address, name="worker"):
    path, _, port = address.partition(":")
    place = {"host": path, "port": int(port)} if port else {"unix_socket_path": path}
    return {**place, "client_name": name, "decode_responses": True, "socket_timeout": 60}


def entries(reply):
    """[(id, fields)] of a reply about one stream, in either protocol."""
    if not reply:
        return []
    found = reply[0][1] if isinstance(reply, list) else reply[JOBS]
    return found[0] if found and isinstance(found[0], list) else found


def read(app, consumer="w", count=1):
    return entries(app.xreadgroup(GROUP, consumer, {JOBS: ">"}, count=count, block=WAIT_MILLISECONDS))


def publish(app, *jobs, **more):
    return app.xadd(RESULTS, {"of": ",".join(jobs), **more})


def one_connection(address):
    return redis.Redis(single_connection_client=True, **options(address))


# One worker, one connection

def sequential(address, _):
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        publish(app, fields["job"])
        app.xack(JOBS, GROUP, job_id)


def sequential_transaction(address, _):
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        with app.pipeline(transaction=True) as together:
            publish(together, fields["job"])
            together.xack(JOBS, GROUP, job_id)
            together.execute()


def sequential_xread(address, _):
    app, last = one_connection(address), "0"
    while got := entries(app.xread({JOBS: last}, count=1, block=WAIT_MILLISECONDS)):
        [(last, fields)] = got
        publish(app, fields["job"])


def sequential_poisoned(address, _):
    """Every fifth job fails and stays unacknowledged."""
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        if int(fields["job"]) % 5 == 0:
            continue
        publish(app, fields["job"])
        app.xack(JOBS, GROUP, job_id)


def sequential_heartbeat(address, _):
    """Now and then it publishes something of its own, also while it has a job."""
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        if int(fields["job"]) % 4 == 0:
            publish(app)
        publish(app, fields["job"])
        app.xack(JOBS, GROUP, job_id)
        publish(app)


def acknowledges_first(address, _):
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        app.xack(JOBS, GROUP, job_id)
        publish(app, fields["job"])


def fan_out(address, _):
    app = one_connection(address)
    while got := read(app):
        [(job_id, fields)] = got
        for _ in range(3):
            publish(app, fields["job"])
        app.xack(JOBS, GROUP, job_id)


def join_of_two(address, _):
    app = one_connection(address)
    while first := read(app):
        second = read(app)
        both = first + second
        publish(app, *[fields["job"] for _, fields in both])
        for job_id, _ in both:
            app.xack(JOBS, GROUP, job_id)


def batch(address, _):
    app = one_connection(address)
    while got := read(app, count=8):
        for job_id, fields in got:
            publish(app, fields["job"])
            app.xack(JOBS, GROUP, job_id)


def batch_naming_ids(address, _):
    app = one_connection(address)
    while got := read(app, count=8):
        for job_id, fields in got:
            publish(app, fields["job"], source=job_id)
            app.xack(JOBS, GROUP, job_id)


# Several connections

def two_connections(address, _):
    """One to read and settle with, one to publish with."""
    reader, publisher = one_connection(address), one_connection(address)
    while got := read(reader):
        [(job_id, fields)] = got
        publish(publisher, fields["job"])
        reader.xack(JOBS, GROUP, job_id)


def pooled(address, threads):
    app = redis.Redis(**options(address))

    def work(number):
        chance = random.Random(number)
        while got := read(app, f"w{number}"):
            [(job_id, fields)] = got
            threading.Event().wait(chance.uniform(0.001, 0.008))
            publish(app, fields["job"])
            app.xack(JOBS, GROUP, job_id)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def in_flight(address, tasks, correlated=False):
    async def run():
        app = redis.asyncio.Redis(**options(address))

        async def work(number):
            chance = random.Random(number)
            while got := entries(await app.xreadgroup(
                    GROUP, f"w{number}", {JOBS: ">"}, count=1, block=WAIT_MILLISECONDS)):
                [(job_id, fields)] = got
                await asyncio.sleep(chance.uniform(0.001, 0.008))
                own = {"correlation_id": fields["correlation_id"]} if correlated else {}
                await publish(app, fields["job"], **own)
                await app.xack(JOBS, GROUP, job_id)

        await asyncio.gather(*[work(number) for number in range(tasks)])
        await app.aclose()

    asyncio.run(run())


def prefork(address, processes):
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            try:
                chance, app = random.Random(number), one_connection(address)
                while got := read(app, f"w{number}"):
                    [(job_id, fields)] = got
                    threading.Event().wait(chance.uniform(0.001, 0.008))
                    publish(app, fields["job"])
                    app.xack(JOBS, GROUP, job_id)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


SHAPES = {
    "sequential": (sequential, 1), "sequential_transaction": (sequential_transaction, 1),
    "sequential_xread": (sequential_xread, 1), "sequential_poisoned": (sequential_poisoned, 1),
    "sequential_heartbeat": (sequential_heartbeat, 1), "acknowledges_first": (acknowledges_first, 1),
    "fan_out": (fan_out, 1), "join_of_two": (join_of_two, 1), "batch": (batch, 1),
    "batch_naming_ids": (batch_naming_ids, 1), "two_connections": (two_connections, 1), "pooled_1": (pooled, 1),
    "pooled_4": (pooled, 4), "asyncio_1": (in_flight, 1), "asyncio_4": (in_flight, 4), "asyncio_16": (in_flight, 16),
    "asyncio_16_correlated": (lambda address, tasks: in_flight(address, tasks, correlated=True), 16),
    "prefork_3": (prefork, 3),
}

if __name__ == "__main__":
    shape, size = SHAPES[sys.argv[1]]
    shape(sys.argv[2], size)
