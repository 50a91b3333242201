"""The session: bytes in, events out, and bytes to send; no reactor, clock or socket.

`ServerConnection` and `ClientConnection` are the two sides. The owner of a connection feeds it the
received bytes and the time, acts on the events it returns, and sends its bytes.
"""
