"""The texts of the manual pages that no parser knows: signals, files and the environment."""

from __future__ import annotations

__all__ = [
    "CLIENT_ENVIRONMENT",
    "CLIENT_FILES",
    "DAEMON_ENDS",
    "DAEMON_FILES",
    "DAEMON_SIGNALS",
    "DAEMON_VALUES",
    "SECRETS",
]

DAEMON_VALUES = {
    "FILE": (*("key-file", "password-file", "operator-file", "backplane-password-file"),),
    "DIR": ("data",),
    "URL": ("backplane",),
    "ENDPOINT": ("endpoint", "web"),
    "ORIGIN": ("web-origin",),
    "ADDRESS": ("web-proxy",),
    "ROOM": ("room",),
    "NAME": ("operator",),
    "METHOD": ("auth", "help-auth-type"),
    "MODE": ("socket-mode",),
    "full|normal": ("durability",),
    "DAYS": ("keep-days",),
    "SECONDS": ("heartbeat", "grace", "backplane-patience", "handshake-timeout"),
    "BYTES": (
        *("keep-bytes", "max-content", "max-waiting", "max-in-work-bytes", "max-arriving"),
        "max-first-frame",
    ),
    "NUMBER": (
        *("keep-messages", "presence-limit", "max-in-work", "max-sessions", "max-rooms"),
        *("max-sessions-per-address", "max-unestablished", "message-rate", "command-rate"),
        "login-rate",
    ),
}
"""The values of the daemon's options as `docs/reference/daemon.md` and `bounds.md` call them, and
the options that take them."""

DAEMON_ENDS = {
    0: "the only client, on stdio:, has left",
    1: "an option is wrong, or the daemon cannot start",
    130: "Ctrl+C: the shell's number for SIGINT",
    143: "SIGTERM",
}
"""The exit statuses of the daemon."""

DAEMON_SIGNALS = {
    "SIGTERM, SIGINT (Ctrl+C)": (
        "stops: it accepts no new clients, stores and answers every message that it has received, "
        "sends every client shutting-down, closes the store, and removes its UNIX sockets"
    ),
    "the same again": "cuts off the remaining clients, and gives the store one second",
    "SIGHUP": (
        "reopens its log file, and reads the key file, the password file, the operator file, the "
        "bans in --data, and the certificates of ssl: and tls: endpoints again"
    ),
    "SIGUSR1": "rotates its log file, as twistd does",
}
"""What the daemon does at a signal, as in `docs/reference/daemon.md`."""

SECRETS = (
    "The daemon reads a key file or a password file only if nobody but its owner has any rights "
    "(mode 0600 or 0400), or if it belongs to root, its group may only read it, and others have no "
    "rights (mode 0640 or 0440)."
)
"""Which modes secrets may have, as in `docs/reference/files.md`."""

DAEMON_FILES = {
    "the file of --key-file": "the key, made by chatd keygen; a secret",
    "the file of --password-file": "the accounts, made by chatd passwd; a secret",
    "the file of --backplane-password-file": "the password of Redis; a secret",
    "the file of --operator-file": "the names of operators; others may not write it",
    "DIR/chatd.db, DIR/chatd.db-wal, DIR/chatd.db-shm": (
        "the messages in the directory of --data, which has mode 0700 if the daemon makes it; its "
        "files have mode 0600"
    ),
    "DIR/chatd.mark.*": "how many messages there ever were",
    "DIR/bans.json": "the bans",
    "DIR/chatd.lock": "keeps a second daemon out",
    "twistd.pid": "the process id, in the current directory; see --pidfile of twistd",
    "twistd.log": (
        "the log of a daemon in the background, in the current directory, with mode 0640 at most; "
        "see --logfile of twistd"
    ),
}
"""The files of the daemon."""

CLIENT_FILES = {
    "$XDG_CONFIG_HOME/chatd/chatd.toml": (
        "the profiles; in ~/.config by default. Only you may be able to write it"
    ),
    "$XDG_STATE_HOME/chatd/PROFILE.rooms.json": (
        "the rooms of a profile with rejoin; in ~/.local/state by default, as are the next files"
    ),
    "$XDG_STATE_HOME/chatd/PROFILE.ignored.json": "the names that you ignore",
    "$XDG_STATE_HOME/chatd/PROFILE.direct.json": "the last direct messages shown",
    "$XDG_STATE_HOME/chatd/PROFILE.shown.json": "the last messages shown in rooms",
}
"""The files of the client."""

CLIENT_ENVIRONMENT = {
    "NO_COLOR": "if set, there are no colours",
    "SSL_CERT_FILE": "a file of certificates to trust over TLS, instead of those of the system",
    "XDG_CONFIG_HOME, XDG_STATE_HOME": "see FILES",
}
"""The variables that the client reads."""
