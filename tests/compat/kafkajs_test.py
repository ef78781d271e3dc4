"""Goal: kafkajs does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from scenarios import CACHE, Scenarios, has


@unittest.skipUnless(has("kafkajs"), "kafkajs is not installed (scripts/setup --compat does it)")
class KafkajsTest(Scenarios, programs.TestCase):
    command = ("node", os.path.join(CACHE, "kafkajs", "client.js"))
    repeated_headers = False
    admin_calls = ("create_topic", "list_topics", "create_partitions", "describe_configs", "alter_config",
                   "delete_records", "list_groups", "describe_group", "group_offsets", "delete_group",
                   "delete_topic", "describe_cluster")


if __name__ == "__main__":
    programs.main()
