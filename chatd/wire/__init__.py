"""The wire: frames, envelopes, headers and the secure channel, as functions of bytes.

Nothing here knows of Twisted, a clock, a socket or a session. `docs/protocol.md` describes the
same format for whoever writes a peer in another language.
"""
