"""Goal: members of classic groups are told over the wire what the limits and the rules for static
members say. Method: frames by hand, since clients hide some of it, against real brokers."""
import struct

import programs
from kafka_wire import Wire, request, string
from programs import Cluster, eventually

FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, SYNC_GROUP = 10, 11, 12, 14
NONE, GROUP_MAX_SIZE_REACHED, FENCED_INSTANCE_ID = 0, 81, 82


class Reader:
    """Takes fields off an answer."""

    def __init__(self, body):
        self.body = body

    def take(self, kind):
        value, = struct.unpack_from(">" + kind, self.body)
        self.body = self.body[struct.calcsize(">" + kind):]
        return value

    def text(self, size="h"):
        count = self.take(size)
        value, self.body = self.body[:count], self.body[count:]
        return value


def nullable(text):
    return struct.pack(">h", -1) if text is None else string(text)


class Member:
    """One process of a consumer, with a connection to its group's coordinator."""

    def __init__(self, address, group, instance=None):
        self.wire = Wire(address, seconds=programs.PATIENCE)
        self.group, self.instance, self.id, self.generation = group, instance, "", -1

    def join(self):
        """Sends JoinGroup version 5, or 3 for a dynamic member, which then needs no member id."""
        static = b"" if self.instance is None else string(self.instance)
        self.wire.socket.sendall(request(JOIN_GROUP, 5 if static else 3, (
            string(self.group) + struct.pack(">ii", 10000, 10000) + string(self.id) + static
            + string("consumer") + struct.pack(">i", 1) + string("range") + struct.pack(">i", 0))))

    def joined(self):
        """The error."""
        answer = Reader(self.wire.answer()[1])
        answer.take("i")  # throttle time
        error, self.generation = answer.take("h"), answer.take("i")
        answer.text()  # protocol
        self.leader, self.id = answer.text().decode(), answer.text().decode()
        return error

    def sync(self, assignment=None):
        """(error, assignment)."""
        given = struct.pack(">i", 0)
        if assignment is not None:
            given = (struct.pack(">i", 1) + string(self.id)
                     + struct.pack(">i", len(assignment)) + assignment)
        answer = Reader(self.wire.ask(request(SYNC_GROUP, 3, (
            string(self.group) + struct.pack(">i", self.generation) + string(self.id)
            + nullable(self.instance) + given)))[1])
        answer.take("i")
        return answer.take("h"), answer.text("i")

    def beat(self):
        answer = Reader(self.wire.ask(request(HEARTBEAT, 3, (
            string(self.group) + struct.pack(">i", self.generation) + string(self.id)
            + nullable(self.instance))))[1])
        answer.take("i")
        return answer.take("h")


class KafkaGroupLimitsTest(programs.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, "--broker-set", "group.initial.rebalance.delay.ms=1000",
                              "--broker-set", "group.max.size=2")
        cls.addClassCleanup(cls.cluster.down)

    def coordinator(self, group):
        found = []

        def ask():
            with Wire(self.cluster.kafka_bootstrap.split(",")[0]) as wire:
                answer = Reader(wire.ask(request(FIND_COORDINATOR, 0, string(group)))[1])
            error, _, host, port = answer.take("h"), answer.take("i"), answer.text(), answer.take("i")
            found[:] = [f"{host.decode()}:{port}"]
            return error == NONE
        eventually(ask, "a coordinator")
        return found[0]

    def member(self, group, instance=None):
        member = Member(self.coordinator(group), group, instance)
        self.addCleanup(member.wire.socket.close)
        return member

    def first(self, group, instance=None):
        """One that has joined; its coordinator may have had to load first."""
        member = self.member(group, instance)

        def join():
            member.join()
            return member.joined() == NONE
        eventually(join, "the first member to be in")
        return member

    def test_a_member_too_many_is_told_so(self):
        first = self.first("small")
        self.assertEqual(first.sync(b"all")[0], NONE)
        second, third = self.member("small"), self.member("small")
        second.join()
        eventually(lambda: first.beat() == 27, "a rebalance")  # REBALANCE_IN_PROGRESS
        first.join()
        self.assertEqual((first.joined(), second.joined()), (NONE, NONE))
        third.join()
        self.assertEqual(third.joined(), GROUP_MAX_SIZE_REACHED)
        self.assertEqual(first.beat(), NONE)
        self.assertEqual(second.beat(), NONE)

    def test_a_static_member_comes_back_without_a_rebalance_and_fences_the_one_before(self):
        before = self.first("static", "place-1")
        self.assertEqual(before.sync(b"what it had"), (NONE, b"what it had"))
        after = self.member("static", "place-1")
        after.join()
        self.assertEqual(after.joined(), NONE)
        self.assertEqual(after.generation, before.generation)
        self.assertNotEqual(after.id, before.id)
        self.assertEqual(after.sync(), (NONE, b"what it had"))
        self.assertEqual(after.beat(), NONE)
        self.assertEqual(before.beat(), FENCED_INSTANCE_ID)
        self.assertEqual(before.sync()[0], FENCED_INSTANCE_ID)


if __name__ == "__main__":
    programs.main()
