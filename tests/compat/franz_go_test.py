"""Goal: franz-go does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import unittest

import programs
from client import CACHE, has
from scenarios import ADMIN_CALLS, Scenarios


@unittest.skipUnless(has("go"), "franz-go is not installed (scripts/setup --compat does it)")
class FranzGoTest(Scenarios, programs.TestCase):
    command = (os.path.join(CACHE, "go", "bin", "franz"),)
    admin_calls = ADMIN_CALLS


if __name__ == "__main__":
    programs.main()
