"""Goal: kafka-python does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CLIENTS, has, python_of_the_cache
from scenarios import ADMIN_CALLS, Scenarios


@unittest.skipUnless(has("python"), "kafka-python is not installed (scripts/setup --compat does it)")
class KafkaPythonTest(Scenarios, programs.TestCase):
    command = (python_of_the_cache(), "-B", os.path.join(CLIENTS, "kafka_python_client.py"))
    writes_null_headers = False
    admin_calls = ADMIN_CALLS


if __name__ == "__main__":
    programs.main()
