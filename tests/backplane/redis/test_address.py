"""The URL of a Redis."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.address import RedisAddress, parse_address
from chatd.backplane.redis.dialling import login_commands
from chatd.errors import ConfigurationError


class AddressTests(SynchronousTestCase):
    def test_hosts(self):
        """Hosts have a port, a database and a login, or the usual ones."""
        self.assertEqual(parse_address("redis://h"), RedisAddress(hosts=(("h", 6379),)))
        expected = RedisAddress(
            hosts=(("::1", 1),), is_tls=True, database=3, user="u", password="p@/ä"
        )
        self.assertEqual(parse_address("rediss://u:p%40%2F%C3%A4@[::1]:1/3"), expected)
        self.assertEqual(parse_address("redis://:secret@h/").password, "secret")
        self.assertEqual(parse_address("redis://u@h").user, "u")

    def test_sockets(self):
        """A path is that of a UNIX socket, with or without //."""
        for url in ("unix:/run/r.sock", "unix:///run/r.sock"):
            self.assertEqual(parse_address(url), RedisAddress(path="/run/r.sock"))
        self.assertEqual(parse_address("unix:/r?db=2").database, 2)

    def test_sentinels(self):
        """Sentinels are several hosts, and know the server by a name."""
        address = parse_address("redis+sentinel://a,b:1,[::2]/chat/4")
        hosts = (("a", 26379), ("b", 1), ("::2", 26379))
        self.assertEqual(address, RedisAddress(hosts=hosts, master="chat", database=4))
        address = parse_address("rediss+sentinel://u:p@a/chat")
        self.assertEqual(address.hosts, (("a", 26379),))
        self.assertEqual((address.is_tls, address.master), (True, "chat"))
        self.assertEqual((address.user, address.password), ("u", "p"))

    def test_words(self):
        """An address for people has no password."""
        said = {
            url: str(parse_address(url)) for url in ("redis://u:p@h", "unix:/r", "redis://[::1]")
        }
        self.assertEqual(
            said,
            {"redis://u:p@h": "h:6379", "unix:/r": "/r", "redis://[::1]": "[::1]:6379"},
        )
        sentinels = parse_address("redis+sentinel://a,b/chat")
        self.assertEqual(str(sentinels), "the Sentinels a:26379, b:26379")

    def test_url(self):
        """An address has its URL again, with what is usual and without the password."""
        for url, usual in {
            "redis://h": "redis://h:6379/0",
            "rediss://u%40:p@[::1]:1/3": "rediss://u%40@[::1]:1/3",
            "unix:///r.sock": "unix:/r.sock",
            "unix:/r?db=2": "unix:/r?db=2",
            "redis+sentinel://a,b:1/chat": "redis+sentinel://a:26379,b:1/chat/0",
            "rediss+sentinel://:p@a/chat/4": "rediss+sentinel://a:26379/chat/4",
        }.items():
            address = parse_address(url)
            self.assertEqual(address.url, usual)
            again = parse_address(usual)
            self.assertEqual(again, msgspec.structs.replace(address, password=None))

    def test_refused(self):
        """Every mistake is one clear line."""
        for url, words in {
            "": "a backplane is redis://HOST",
            "http://h": "a backplane is redis://HOST",
            "redis:h": "a backplane is redis://HOST",
            "redis://": "a host is missing",
            "redis://:1": "a host is missing",
            "redis://h:0": "not a port: 0",
            "redis://h:x": "not a port: x",
            "redis://h:65536": "not a port: 65536",
            "redis://::1": "in brackets: [::1]",
            "redis://[::1": "not an IPv6 address in brackets: redis://[::1",
            "redis://[zz]": "not an IPv6 address in brackets: redis://[zz]",
            "redis://a b": "no spaces and no control characters",
            "redis://h\n/0": "no spaces and no control characters",
            "redis://h:\u0663": "not a port",
            "redis://h/" + "9" * 5000: "a database is a number",
            "redis://[::1]x": "not an address: [::1]x",
            "redis://h/a": "a database is a number, not a",
            "redis://h/0/1": "too many parts",
            "redis://h,i": "only Sentinels can be several hosts",
            "redis://h?x": "no ? and no #",
            "redis://a..b": "not the name of a host: a..b",
            "redis://" + "a" * 64: "not the name of a host",
            "redis+sentinel://h": "the name of the server",
            "unix:r": "begins with /",
            "unix:/r?x=1": "only db=NUMBER",
            "unix:/r?db=x": "a database is a number",
        }.items():
            error = self.assertRaises(ConfigurationError, parse_address, url)
            self.assertEqual(len(str(error).splitlines()), 1)
            self.assertIn(words, str(error), url)

    def test_password_in_a_mistake(self):
        """An error of a URL with a login quotes nothing of it."""
        for url in ("redis://u:s3cr/et@h", "redis://u:s3cr?et@h", "redis://u:s3:cr#et@h:x"):
            error = self.assertRaises(ConfigurationError, parse_address, url)
            self.assertNotIn("s3", str(error))
            self.assertIn("%2F", str(error))

    def test_login(self):
        """A connection begins with the login and the database, if there are any."""
        address = parse_address("redis://u:p@h/2")
        self.assertEqual(login_commands(address, "q"), [("AUTH", "u", "q"), ("SELECT", "2")])
        self.assertEqual(login_commands(parse_address("unix:/r"), "q"), [("AUTH", "default", "q")])
        self.assertEqual(login_commands(parse_address("unix:/r"), None), [])
