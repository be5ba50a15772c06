"""How does a fetcher in Python read postern's events?

It decodes records with the auto-detecting reader of the official CloudEvents SDK, drops duplicates of strong events,
asks the credential broker for a token, and prints what it would fetch.
"""

import argparse
import collections
import json
import sys
import time

from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException

REMEMBERED = 10_000  # strong events that are known again; postern delivers at least once


def token_for(credential):
    """Asks the credential broker; this is the one function to replace. The object goes to the broker as it is."""
    return "stub-token-of-" + credential.get("tenantId", credential["provider"])


def decode(record):
    """A Kafka record as a CloudEvent, whether it is in structured or in binary mode."""
    headers = {name: value or b"" for name, value in record.headers() or []}
    return from_kafka(KafkaMessage(headers, record.key(), record.value()), JSONFormat())


def duplicate(event, seen):
    """Whether a strong event came before. A weak one must never suppress a fetch: it may be another change."""
    if event.get_data()["identity"] != "strong":
        return False
    name = (event.get_source(), event.get_id())
    if name in seen:
        return True
    seen[name] = None
    if len(seen) > REMEMBERED:
        seen.popitem(last=False)
    return False


def act(event):
    """What is to be done about an event, as a line; unknown members and words are left alone."""
    data = event.get_data()
    if "signal" in data:
        return f"signal {event.get_type()} of subscription {data['subscription']['id']}"
    token_for(data["credential"])  # a fetcher sends it along; it is never printed
    who = json.dumps(data["credential"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if data.get("resync"):
        return f"resync {event.get_type()} because of {data['resync']['reason']} as {who}"
    if data["fetch"]:
        return f"fetch {event.get_type()} {data['fetch']['method']} {data['fetch']['url']} as {who}"
    if data["change"] in ("deleted", "removed"):
        return f"forget {event.get_type()} {data['resource']['id']} as {who}"
    return f"list {event.get_type()} from the position that was stored last as {who}"


def arguments():
    parser = argparse.ArgumentParser(description="Follows postern's events and prints what a fetcher would do.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="the brokers, host:port, comma-separated")
    parser.add_argument("--events", default="postern.events.v1", help="the topic of the events")
    parser.add_argument("--lifecycle", default="postern.lifecycle.v1", help="the topic of the signals")
    parser.add_argument("--group", default="postern-example-python", help="the consumer group")
    parser.add_argument("--from-beginning", action="store_true", help="reads all that the topics hold, each time")
    parser.add_argument("--max", type=int, metavar="N", help="ends after N records")
    parser.add_argument("--timeout", type=float, metavar="S", help="ends after S seconds without a record; "
                        "exit 1 if --max was not reached")
    return parser.parse_args()


def assigned(from_beginning):
    def rewind(consumer, partitions):
        for partition in partitions:
            partition.offset = OFFSET_BEGINNING if from_beginning else partition.offset
        consumer.assign(partitions)
    return rewind


def main():
    args = arguments()
    consumer = Consumer({
        "bootstrap.servers": args.bootstrap, "group.id": args.group, "auto.offset.reset": "latest",
        "enable.auto.offset.store": False,  # a position is stored once its record is dealt with
        "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    })
    consumer.subscribe([args.events, args.lifecycle], on_assign=assigned(args.from_beginning))
    seen, records, quiet_since = collections.OrderedDict(), 0, time.monotonic()
    try:
        while args.max is None or records < args.max:
            record = consumer.poll(0.5)
            if record is None:
                if args.timeout is not None and time.monotonic() - quiet_since > args.timeout:
                    return 0 if args.max is None else 1
                continue
            if record.error():
                raise KafkaException(record.error())
            records, quiet_since = records + 1, time.monotonic()
            try:
                event = decode(record)
                line = f"duplicate {event.get_type()} {event.get_id()}" if duplicate(event, seen) else act(event)
                print(line, flush=True)
            except Exception as error:  # one bad record must not stop the others
                where = f"{record.topic()} partition {record.partition()} offset {record.offset()}"
                print(f"skipped {where}: {type(error).__name__}: {error}", file=sys.stderr)
            consumer.store_offsets(record)
        return 0
    except KafkaException as error:
        print(f"Kafka at {args.bootstrap}: {error.args[0].str()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        consumer.close()


if __name__ == "__main__":
    sys.exit(main())
