"""Goal: kcat (librdkafka, of Debian) does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import shutil
import sys
import unittest

import programs
from client import CLIENTS
from scenarios import Scenarios


@unittest.skipUnless(shutil.which("kcat"), "there is no kcat here (scripts/setup --compat installs it)")
class KcatTest(Scenarios, programs.TestCase):
    command = (sys.executable, "-B", os.path.join(CLIENTS, "kcat_client.py"))
    own_headers, timestamps, tells_offsets, writes_empty_texts = False, False, False, False


if __name__ == "__main__":
    programs.main()
