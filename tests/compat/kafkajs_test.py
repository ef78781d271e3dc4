"""Goal: kafkajs does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CACHE, has
from scenarios import ADMIN_CALLS, Scenarios


@unittest.skipUnless(has("kafkajs"), "kafkajs is not installed (scripts/setup --compat does it)")
class KafkajsTest(Scenarios, programs.TestCase):
    command = ("node", os.path.join(CACHE, "kafkajs", "client.js"))
    repeated_headers, writes_null_headers = False, False
    admin_calls = ADMIN_CALLS


if __name__ == "__main__":
    programs.main()
