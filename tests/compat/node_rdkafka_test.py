"""Goal: node-rdkafka (librdkafka) does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CACHE, has
from scenarios import Scenarios


@unittest.skipUnless(has("node-rdkafka"), "node-rdkafka is not installed (scripts/setup --compat does it)")
class NodeRdkafkaTest(Scenarios, programs.TestCase):
    command = ("node", os.path.join(CACHE, "node-rdkafka", "client.js"))
    # What is empty it writes as null, and a null header it reads as empty.
    writes_empty_texts, writes_null_headers, reads_null_headers = False, False, False
    admin_calls = ("create_topic", "list_topics", "describe_cluster", "create_partitions", "group_offsets",
                   "delete_topic")


if __name__ == "__main__":
    programs.main()
