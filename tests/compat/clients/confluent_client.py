"""The client of the scenarios with confluent-kafka (librdkafka)."""
import json
import sys
import threading
import uuid

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka import admin as kafka_admin


def produce(options):
    producer = Producer({"bootstrap.servers": options["bootstrap"], "enable.idempotence": True,
                         "compression.type": options["codec"], "partitioner": "murmur2_random",
                         "linger.ms": 5, "queue.buffering.max.messages": 200000})

    def acknowledged(i):
        def tell(error, message):
            if error is not None:
                sys.exit(f"record {i}: {error}")
            print(json.dumps({"i": i, "partition": message.partition(), "offset": message.offset()}))
        return tell
    for line in sys.stdin:
        record = json.loads(line)
        producer.produce(options["topic"], key=record["key"], value=record["value"],
                         timestamp=record.get("timestamp", 0),
                         headers=[(h["key"], h["value"]) for h in record["headers"]],
                         on_delivery=acknowledged(record["i"]))
        producer.poll(0)
    left = producer.flush(60)
    if left:
        sys.exit(f"{left} records were not acknowledged")


def text(value):
    return None if value is None else value.decode()


def show(message):
    print(json.dumps({"partition": message.partition(), "offset": message.offset(),
                      "timestamp": message.timestamp()[1], "key": text(message.key()),
                      "value": text(message.value()),
                      "headers": [{"key": k, "value": text(v)} for k, v in message.headers() or []]}))


def consumer_of(options, **settings):
    return Consumer({"bootstrap.servers": options["bootstrap"], "auto.offset.reset": "earliest",
                     "group.id": options.get("group", "unused-" + uuid.uuid4().hex),
                     **{name.replace("_", "."): value for name, value in settings.items()}})


def messages(consumer, seconds):
    for message in consumer.consume(1000, seconds):
        if message.error():
            print(message.error(), file=sys.stderr)
        else:
            yield message


def consume(options):
    consumer = consumer_of(options, enable_auto_commit=False)
    starts = options.get("offsets") or {p: 0 for p in range(options["partitions"])}
    consumer.assign([TopicPartition(options["topic"], int(p), o) for p, o in starts.items()])
    left = options["count"]
    while left > 0:
        for message in messages(consumer, 1):
            show(message)
            left -= 1
    consumer.close()


def group(options):
    consumer = consumer_of(options, auto_commit_interval_ms=200, session_timeout_ms=10000)
    consumer.subscribe([options["topic"]])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        for message in messages(consumer, 0.1):
            show(message)
        sys.stdout.flush()
    consumer.close()


def times(options):
    consumer = consumer_of(options)
    asked = [TopicPartition(options["topic"], p, options["time"]) for p in range(options["partitions"])]
    for found in consumer.offsets_for_times(asked, timeout=20):
        print(json.dumps({"partition": found.partition, "offset": found.offset}))
    consumer.close()


class Admin:
    def __init__(self, options):
        self.client = kafka_admin.AdminClient({"bootstrap.servers": options["bootstrap"]})

    @staticmethod
    def one(futures):
        future, = futures.values()
        return future.result(timeout=30)

    def create_topic(self, name, partitions, replicas, configs):
        self.one(self.client.create_topics([kafka_admin.NewTopic(name, partitions, replicas, config=configs)]))

    def list_topics(self):
        return sorted(self.client.list_topics(timeout=30).topics)

    def create_partitions(self, name, partitions):
        self.one(self.client.create_partitions([kafka_admin.NewPartitions(name, partitions)]))

    def describe_configs(self, name):
        found = self.one(self.client.describe_configs([kafka_admin.ConfigResource("topic", name)]))
        return {key: entry.value for key, entry in found.items()}

    def alter_config(self, name, key, value):
        entry = kafka_admin.ConfigEntry(
            key, value, incremental_operation=kafka_admin.AlterConfigOpType.SET)
        resource = kafka_admin.ConfigResource("topic", name, incremental_configs=[entry])
        self.one(self.client.incremental_alter_configs([resource]))

    def delete_records(self, name, partition, offset):
        low = self.one(self.client.delete_records([TopicPartition(name, partition, offset)]))
        return low.low_watermark

    def list_groups(self):
        return sorted(g.group_id for g in self.client.list_consumer_groups().result(timeout=30).valid)

    def describe_group(self, name):
        found = self.one(self.client.describe_consumer_groups([name]))
        return {"state": found.state.name, "members": len(found.members)}

    def group_offsets(self, name):
        found = self.one(self.client.list_consumer_group_offsets(
            [confluent_kafka.ConsumerGroupTopicPartitions(name)]))
        return {str(t.partition): t.offset for t in found.topic_partitions}

    def delete_group(self, name):
        self.one(self.client.delete_consumer_groups([name]))

    def delete_topic(self, name):
        self.one(self.client.delete_topics([name]))

    def describe_cluster(self):
        found = self.client.describe_cluster().result(timeout=30)
        return {"brokers": len(found.nodes)}


def admin(options):
    client = Admin(options)
    for line in sys.stdin:
        call = json.loads(line)
        verb = getattr(client, call.pop("do"), None)
        if verb is None:
            answer = {"unsupported": True}
        else:
            try:
                answer = {"ok": verb(**call)}
            except confluent_kafka.KafkaException as error:
                answer = {"error": error.args[0].name()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    {"produce": produce, "consume": consume, "group": group, "times": times, "admin": admin}[sys.argv[1]](
        json.loads(sys.argv[2]))
