"""Goal: kafkajs does with Quipu what it does with Kafka. Method: scenarios.py."""
import os
import time
import unittest

import programs
from client import CACHE, has
from scenarios import ADMIN_CALLS, Scenarios


@unittest.skipUnless(has("kafkajs"), "kafkajs is not installed (scripts/setup --compat does it)")
class KafkajsTest(Scenarios, programs.TestCase):
    command = ("node", os.path.join(CACHE, "kafkajs", "client.js"))
    repeated_headers, writes_null_headers = False, False
    admin_calls = ADMIN_CALLS

    def test_times_of_single_messages(self):
        """The times that one send() gives its messages. kafkajs tells the broker the last of those given, sorted as
        text, as the newest; where that is earlier than the first, compressed batches are looked into too."""
        now = int(time.time() * 1000)
        long_ago = 999_999_999_999  # one digit less than now
        for codec, times in (("none", [long_ago, None]), ("none", [now - 5000, long_ago]),
                             ("gzip", [now - 5000, long_ago])):
            with self.subTest(codec=codec, times=times):
                topic = f"given-{codec}-{times.index(long_ago)}"
                self.cluster.make_topic(topic)
                sent = [{"i": i, "key": "k", "value": str(i), "headers": []} |
                        ({} if given is None else {"timestamp": given}) for i, given in enumerate(times)]
                self.produce(topic, sent, codec)
                told = self.child("times", topic=topic, partitions=1, time=now - 60000).finish()
                newest = times.index(long_ago) ^ 1
                self.assertEqual(told, [{"partition": 0, "offset": newest}])


if __name__ == "__main__":
    programs.main()
