"""Runs mq-bridge as HTTP in, Kafka out: one POST is one message, answered after acks=all.

What is not named here is as it comes: more concurrency, other batch sizes and a worker limit made it no faster.
"""

import sys

from mq_bridge import Route

listen, bootstrap, topic, linger = sys.argv[1:5]
route = Route.from_config({
    "input": {"http": {
        "url": listen,
        # Room for every connection of the benchmark; the defaults are 100.
        "concurrency_limit": 4096,
        "internal_buffer_size": 4096,
    }},
    "output": {"kafka": {
        "url": bootstrap,
        "topic": topic,
        "create_topic": False,
        "delayed_ack": False,
        # As postern: durable, and nothing waits for more to send.
        "producer_options": [["acks", "all"], ["enable.idempotence", "true"], ["linger.ms", linger]],
    }},
})
print(listen, flush=True)
route.run()
