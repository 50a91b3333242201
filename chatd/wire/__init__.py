"""The wire: frames, envelopes, headers and the secure channel, as functions of bytes.

Nothing here knows of Twisted, a clock, a socket or a session. The same format is described in
`docs/reference/protocol.md`, for peers in other languages.
"""
