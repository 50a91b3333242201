"""The Twisted shell: protocols, factories and the client, around `chatd.session`."""
