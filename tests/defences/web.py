"""The defences of the front for browsers."""

from __future__ import annotations

from tests.defences import Defence

__all__ = ["WEB"]

WEB = (
    Defence(
        "A page of another origin cannot open a WebSocket.",
        "tests/web/test_websocket.py::OpeningTests::test_other_origin",
        "chatd/web/site.py",
        '        if not self._origins.admits(asked.values("Origin"), host, is_tls=is_tls):\n',
        "        if False:\n",
    ),
    Defence(
        "On loopback, the daemon answers to no name that a stranger may have pointed there.",
        "tests/web/test_site.py::HostTests::test_rebound",
        "chatd/web/site.py",
        "        return self._origins.is_own_name(name)\n",
        "        return True\n",
    ),
    Defence(
        "Only a proxy that the operator named can tell another address of a client.",
        "tests/web/test_proxies.py::ClientTests::test_stranger",
        "chatd/web/proxies.py",
        "        if not self.is_proxy(peer):\n",
        "        if False:\n",
    ),
    Defence(
        "A client cannot forge its address by writing into the field that a proxy adds to.",
        "tests/web/test_websocket_bounds.py::AddressTests::test_forged",
        "chatd/web/proxies.py",
        "            if not self._has(address):\n",
        "            if False:\n",
    ),
    Defence(
        "The page runs its own files alone: nothing inline, nothing from elsewhere, no HTML that "
        "was put together from messages.",
        "tests/web/test_site.py::PageTests::test_page",
        "chatd/web/answers.py",
        '    b"Content-Security-Policy": POLICY.encode(),\n',
        "",
    ),
    Defence(
        "A dripped HTTP request gets no more time than another.",
        "tests/web/test_channel.py::TimeTests::test_dripped",
        "chatd/web/channel.py",
        "        if self._is_closing:\n",
        "        self._await_request()\n        if self._is_closing:\n",
    ),
    Defence(
        "The HTTP connections of browsers are bounded, and take no room of sessions.",
        "tests/web/test_site.py::ConnectionTests::test_bound",
        "chatd/web/site.py",
        "            self._removed(site).abort()\n",
        "            pass\n",
    ),
    Defence(
        "Requests with a body are refused before it arrives.",
        "tests/web/test_channel.py::FaultTests::test_bodies",
        "chatd/web/channel.py",
        '        if is_coding or (is_length and value.strip() != b"0"):\n',
        "        if False:\n",
    ),
    Defence(
        "Bytes of an HTTP request do not reach the log, even if its answer fails.",
        "tests/web/test_faultlog.py::FaultTests::test_own_words",
        "chatd/web/site.py",
        "            self._faults.note(error, _address(asked.peer))\n",
        "            raise\n",
    ),
    Defence(
        "A control character in a field of an HTTP request is refused.",
        "tests/web/test_channel.py::FaultTests::test_control_characters",
        "chatd/web/channel.py",
        "        if _FIELD.fullmatch(line) is None:\n",
        "        if False:\n",
    ),
    Defence(
        "Nobody can fill the log with HTTP requests that fail.",
        "tests/web/test_faultlog.py::FaultTests::test_bound",
        "chatd/web/faultlog.py",
        "        if not self._pace.may_log(address):\n",
        "        if False:\n",
    ),
    Defence(
        "Many requests that arrive together are answered one at a time, as the peer reads.",
        "tests/web/test_channel.py::PipelineTests::test_unread_answers",
        "chatd/web/channel.py",
        "        if self._deadline.is_running and self._peer_reads:\n",
        "        if self._deadline.is_running:\n",
    ),
    Defence(
        "A long frame of a WebSocket is refused at its length, before its bytes arrive.",
        "tests/web/test_websocket.py::FaultTests::test_announced",
        "chatd/web/websocket.py",
        "max_size=(None, max_frame)",
        "max_size=None",
    ),
    Defence(
        "Bytes of incomplete frames of WebSockets are bounded with those of incomplete messages.",
        "tests/web/test_websocket_bounds.py::BoundTests::test_arriving",
        "chatd/server/pacedprotocol.py",
        "        held_bytes += self._carried_bytes\n",
        "",
    ),
    Defence(
        "Control frames and short frames of a WebSocket count for a client's rate.",
        "tests/web/test_websocket_bounds.py::BoundTests::test_small_frames",
        "chatd/server/pacedprotocol.py",
        "            self._pace.count_frames(empty_frames, short_frames)\n",
        "",
    ),
    Defence(
        "Pongs do not pile up for a peer that does not read.",
        "tests/web/test_websocket.py::PingTests::test_unread_pongs",
        "chatd/transport/websocket.py",
        "        if self._gate is not None and self._gate.is_open:\n",
        "        if True:\n",
    ),
)
