"""The web front: the page for browsers, and the WebSocket on which it talks to the server."""
