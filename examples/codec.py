"""Messages as bytes, without a connection: store them, or send them another way.

Run it: python codec.py
"""

import chatd

key = chatd.generate_key()
codec = chatd.Codec(key)

frame = codec.encode(chatd.Message.chat("hello", id="1", room="lobby"))
message = codec.decode(frame)
print(f"{len(frame)} bytes hold {message.text!r} for {message.room}")

damaged = frame[:-1] + b"?"
try:
    codec.decode(damaged)
except chatd.WireError as error:
    print(f"{error.code}: {error}")
