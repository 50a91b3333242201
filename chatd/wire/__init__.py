"""The wire: frames, envelopes, headers and the secure channel, as functions of bytes.

Nothing here imports Twisted, reads a clock, opens a socket or knows a session.
`docs/reference/protocol.md` describes the same format, for peers in other languages.
"""
