"""Goal: Kafka's Java client does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from scenarios import CACHE, Scenarios, has

FOLDER = os.path.join(CACHE, "java")


@unittest.skipUnless(has("java"), "the Java client is not installed (scripts/setup --compat does it)")
class JavaTest(Scenarios, programs.TestCase):
    command = ("java", "-cp", f"{FOLDER}/classes:{FOLDER}/jars/*", "Client")
    admin_calls = ("create_topic", "list_topics", "create_partitions", "describe_configs", "alter_config",
                   "delete_records", "list_groups", "describe_group", "group_offsets", "delete_group",
                   "delete_topic", "describe_cluster")


if __name__ == "__main__":
    programs.main()
