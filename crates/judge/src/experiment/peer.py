"""Runs mq-bridge as HTTP in, Kafka out: one POST is one message, answered after acks=all."""

import sys

from mq_bridge import Route

listen, bootstrap, topic = sys.argv[1:4]
route = Route.from_config({
    "input": {"http": {"url": listen, "concurrency_limit": 1024, "internal_buffer_size": 1024}},
    "output": {"kafka": {
        "url": bootstrap,
        "topic": topic,
        "create_topic": False,
        "delayed_ack": False,
        "producer_options": [["acks", "all"], ["enable.idempotence", "true"], ["linger.ms", "0"]],
    }},
})
route.run()
