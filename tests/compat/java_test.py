"""Goal: Kafka's Java client does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CACHE, has
from scenarios import ADMIN_CALLS, Scenarios

FOLDER = os.path.join(CACHE, "java")


@unittest.skipUnless(has("java"), "the Java client is not installed (scripts/setup --compat does it)")
class JavaTest(Scenarios, programs.TestCase):
    command = ("java", "-cp", f"{FOLDER}/classes:{FOLDER}/jars/*", "Client")
    admin_calls = ADMIN_CALLS


if __name__ == "__main__":
    programs.main()
