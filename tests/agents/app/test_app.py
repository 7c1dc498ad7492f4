"""Its tests."""

import unittest

import app


class Prices(unittest.TestCase):
    def test_price(self) -> None:
        self.assertEqual(app.price(1999), "19.99")


unittest.main()
