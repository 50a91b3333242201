"""The session: bytes in, events out, and bytes to send; no reactor, clock or socket.

`ServerConnection` and `ClientConnection` are the two sides. Whoever owns one feeds it what arrived
and the time, acts on the events it returns, and sends what it has to send.
"""
