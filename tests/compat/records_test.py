"""Goal: what the scenarios check can fail. Method: records that are right, then with one thing wrong."""
import unittest

import records


class RecordsTest(unittest.TestCase):
    def setUp(self):
        self.sent = [records.record(i) for i in range(1000)]
        self.read = [one | {"partition": 0, "offset": i} for i, one in enumerate(self.sent)]

    def wrong(self):
        with self.assertRaises(AssertionError):
            records.check_equal(self, self.sent, self.read)

    def test_what_is_right(self):
        records.check_equal(self, self.sent, self.read)

    def test_one_is_lost(self):
        del self.read[500]
        self.wrong()

    def test_one_is_doubled(self):
        self.read.append(self.read[500] | {"offset": 1000})
        self.wrong()

    def test_one_is_lost_and_one_doubled(self):
        self.read[500] = self.read[500 + records.ACCOUNTS] | {"offset": 500}
        self.wrong()

    def test_two_of_a_key_changed_places(self):
        a, b = 501, 501 + records.ACCOUNTS
        self.read[a], self.read[b] = self.read[b], self.read[a]
        self.wrong()

    def test_one_is_changed(self):
        for name, value in (("value", "?"), ("key", "acc-1000"), ("timestamp", 1), ("headers", []),
                            ("value", None)):
            with self.subTest(name):
                self.setUp()
                self.read[502][name] = value
                self.wrong()

    def test_what_was_empty_is_null(self):
        for name in ("key", "value"):
            with self.subTest(name):
                self.setUp()
                next(one for one in self.read if one[name] == "")[name] = None
                self.wrong()
        self.setUp()
        header = next(h for one in self.read for h in one["headers"] if h["value"] is None)
        one = next(one for one in self.read if header in one["headers"])
        one["headers"] = [h if h is not header else h | {"value": ""} for h in one["headers"]]
        self.wrong()

    def test_a_key_is_in_two_partitions(self):
        self.read[502]["partition"] = 1
        self.wrong()

    def test_an_offset_was_read_twice(self):
        self.read[502]["offset"] = 501
        self.wrong()

    def test_one_came_behind_a_later_one(self):
        records.check_arrival(self, self.read)
        self.read[500], self.read[501] = self.read[501], self.read[500]
        with self.assertRaises(AssertionError):
            records.check_arrival(self, self.read)


if __name__ == "__main__":
    unittest.main()
