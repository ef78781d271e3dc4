"""The client of the scenarios with kafka-python."""
import json
import sys
import threading

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource


def encoded(value):
    return None if value is None else value.encode()


def text(value):
    return None if value is None else value.decode()


def produce(options):
    codec = None if options["codec"] == "none" else options["codec"]
    producer = KafkaProducer(bootstrap_servers=options["bootstrap"], compression_type=codec, linger_ms=5,
                             request_timeout_ms=10000)
    sent = []
    for line in sys.stdin:
        record = json.loads(line)
        sent.append((record["i"], producer.send(
            options["topic"], key=encoded(record["key"]), value=encoded(record["value"]),
            timestamp_ms=record.get("timestamp"),
            headers=[(h["key"], encoded(h["value"])) for h in record["headers"]])))
    producer.flush()
    for i, future in sent:
        told = future.get(timeout=60)
        print(json.dumps({"i": i, "partition": told.partition, "offset": told.offset}))
    producer.close()


def show(message):
    print(json.dumps({"partition": message.partition, "offset": message.offset, "timestamp": message.timestamp,
                      "key": text(message.key), "value": text(message.value),
                      "headers": [{"key": k, "value": text(v)} for k, v in message.headers]}))


def show_some(consumer, milliseconds):
    """How many there were."""
    batches = consumer.poll(timeout_ms=milliseconds, max_records=5000).values()
    for message in (message for batch in batches for message in batch):
        show(message)
    return sum(map(len, batches))


def consume(options):
    consumer = KafkaConsumer(bootstrap_servers=options["bootstrap"], auto_offset_reset="earliest")
    starts = options.get("offsets") or {p: 0 for p in range(options["partitions"])}
    consumer.assign([TopicPartition(options["topic"], int(p)) for p in starts])
    for partition, offset in starts.items():
        consumer.seek(TopicPartition(options["topic"], int(partition)), offset)
    left = options["count"]
    while left > 0:
        left -= show_some(consumer, 1000)
    consumer.close()


def group(options):
    consumer = KafkaConsumer(options["topic"], bootstrap_servers=options["bootstrap"],
                             group_id=options["group"], auto_offset_reset="earliest",
                             auto_commit_interval_ms=200, session_timeout_ms=10000,
                             heartbeat_interval_ms=500, request_timeout_ms=15000)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        show_some(consumer, 100)
        sys.stdout.flush()
    consumer.close()


def times(options):
    consumer = KafkaConsumer(bootstrap_servers=options["bootstrap"])
    asked = {TopicPartition(options["topic"], p): options["time"] for p in range(options["partitions"])}
    for partition, found in consumer.offsets_for_times(asked).items():
        print(json.dumps({"partition": partition.partition, "offset": found.offset}))
    consumer.close()


class Admin:
    def __init__(self, options):
        self.client = KafkaAdminClient(bootstrap_servers=options["bootstrap"])

    def create_topic(self, name, partitions, replicas, configs):
        self.client.create_topics({name: {"num_partitions": partitions, "replication_factor": replicas,
                                          "configs": configs}})

    def list_topics(self):
        return sorted(self.client.list_topics())

    def create_partitions(self, name, partitions):
        self.client.create_partitions({name: partitions})

    def describe_configs(self, name):
        found = self.client.describe_configs([ConfigResource("TOPIC", name)], config_filter="All")
        configs, = [topics[name] for topics in found.values() if name in topics]
        return {key: entry["value"] for key, entry in configs.items()}

    def alter_config(self, name, key, value):
        self.client.alter_configs([ConfigResource("TOPIC", name, {key: value})])

    def delete_records(self, name, partition, offset):
        self.client.delete_records({TopicPartition(name, partition): offset})

    def list_groups(self):
        return [found["group_id"] for found in self.client.list_groups()]

    def describe_group(self, name):
        found = self.client.describe_groups([name])[name]
        return {"state": str(found["group_state"]), "members": len(found["members"])}

    def group_offsets(self, name):
        return {str(p.partition): o.offset for p, o in self.client.list_group_offsets([name])[name].items()}

    def delete_group(self, name):
        told = self.client.delete_groups([name])
        if told[name] != "OK":
            raise kafka.errors.KafkaError(told[name])

    def delete_topic(self, name):
        self.client.delete_topics([name])

    def describe_cluster(self):
        return {"brokers": len(self.client.describe_cluster()["brokers"])}


def admin(options):
    client = Admin(options)
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"ok": getattr(client, call.pop("do"))(**call)}
        except kafka.errors.KafkaError as error:
            answer = {"error": f"{type(error).__name__} {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    {"produce": produce, "consume": consume, "group": group, "times": times, "admin": admin}[sys.argv[1]](
        json.loads(sys.argv[2]))
