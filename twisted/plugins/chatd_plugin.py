"""Makes `chatd` known to `twistd` and `twist`."""

from twisted.application.service import ServiceMaker

chatd = ServiceMaker("chatd", "chatd.daemon.tap", "A chat and message daemon.", "chatd")
