"""What librdkafka's test-suite calls as Kafka's bin/kafka-topics.sh, done by `quipu topic`."""
import argparse
import os
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--bootstrap-server", required=True)  # of the Kafka listeners: `quipu` has its own
action = parser.add_mutually_exclusive_group(required=True)
for verb in ("create", "alter", "delete"):
    action.add_argument("--" + verb, action="store_true")
parser.add_argument("--topic", required=True)
parser.add_argument("--partitions", type=int)
parser.add_argument("--replication-factor", type=int)
parser.add_argument("--config", action="append", default=[])
asked = parser.parse_args()

if asked.create:
    command = ["topic", "create", asked.topic, "-p", asked.partitions, "-r", asked.replication_factor]
    command += [word for setting in asked.config for word in ("-c", setting)]
elif asked.alter:
    command = ["topic", "add-partitions", asked.topic, "-p", asked.partitions, "--allow-key-remap"]
else:
    command = ["topic", "delete", asked.topic]
command = [os.environ["COMPAT_QUIPU"], *map(str, command), "-b", os.environ["COMPAT_QUIPU_BOOTSTRAP"]]
sys.exit(subprocess.run(command, check=False).returncode)
