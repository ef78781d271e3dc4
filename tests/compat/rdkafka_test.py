"""Goal: rdkafka for Rust (librdkafka) does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CACHE, has
from scenarios import ADMIN_CALLS, Scenarios


@unittest.skipUnless(has("rust"), "rdkafka is not installed (scripts/setup --compat does it)")
class RdkafkaTest(Scenarios, programs.TestCase):
    command = (os.path.join(CACHE, "rust-target", "release", "client"),)
    admin_calls = tuple(name for name in ADMIN_CALLS if name != "group_offsets")


if __name__ == "__main__":
    programs.main()
