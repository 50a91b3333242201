"""The `chatd` command of `twistd` and `twist`: its options and its service."""

from __future__ import annotations

import getopt
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from twisted.application.service import IService
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from chatd._version import __version__
from chatd.chat.names import check_name, check_room
from chatd.config.optionnames import CommandLine, unrecognized
from chatd.daemon.authmethods import check_method, fault_of_name, wrong_method
from chatd.daemon.build import make_service
from chatd.daemon.logfile import LogService, log_of
from chatd.daemon.options import FLAGS, PARAMETERS, settings_of
from chatd.daemon.pidfile import check_pid_file
from chatd.daemon.process import allow_all_descriptors
from chatd.daemon.program import check_program, check_standard_output
from chatd.daemon.settings import DEFAULT_ENDPOINT
from chatd.daemon.values import as_name
from chatd.errors import ConfigurationError, StartupError
from chatd.listening.endpoints import is_stdio
from chatd.transport.clock import go_by_monotonic_time

__all__ = ["Options", "makeService"]


class Options(usage.Options, AuthOptionMixin):
    """The daemon's options."""

    supportedInterfaces = (IUsernamePassword, IAnonymous)
    synopsis = "[--endpoint ENDPOINT]... [--key-file FILE] [--data DIR] [options]"
    longdesc = (
        "A chat and message daemon. People connect with 'chatd connect', programs with the "
        "library; see 'chatd --help'."
    )

    optParameters = PARAMETERS
    optFlags = FLAGS

    def __init__(self) -> None:
        super().__init__()
        self["endpoints"] = []
        self["web"] = []
        self["web-origins"] = []
        self["web-proxies"] = []
        self["rooms"] = []
        self["operators"] = []

    def opt_endpoint(self, description: str) -> None:
        """Listen on this Twisted server endpoint; may be given several times."""
        self["endpoints"].append(description)

    opt_endpoint.__doc__ = (
        "Twisted server endpoint to listen on, such as unix:/run/chat.sock; may be given several "
        f"times. [default: {DEFAULT_ENDPOINT}]"
    )
    opt_e = opt_endpoint

    def opt_web(self, description: str) -> None:
        """Twisted server endpoint for browsers: a page, and a WebSocket; may be repeated."""
        self["web"].append(description)

    def opt_web_origin(self, origin: str) -> None:
        """Admit pages of this origin, such as https://chat.example.org; may be repeated."""
        self["web-origins"].append(origin)

    def opt_web_proxy(self, address: str) -> None:
        """Believe the X-Forwarded-For of this address, network or unix; may be repeated."""
        self["web-proxies"].append(address)

    def opt_room(self, name: str) -> None:
        """Put new sessions into this room instead of lobby; may be given several times."""
        self["rooms"].append(as_name("room", check_room)(name))

    def opt_operator(self, name: str) -> None:
        """Make this name an operator: may kick, ban and manage private rooms; may be repeated."""
        self["operators"].append(as_name("operator", check_name)(name))

    def opt_auth(self, description: str) -> None:
        """Require accounts, checked by one of Twisted's methods; may be given several times."""
        check_method(description, self.supportsCheckerFactory)
        try:
            super().opt_auth(description)
        except usage.UsageError as error:  # of a plugin
            why = str(error).removeprefix("Unexpected error: ").rstrip(": ")
            raise wrong_method(description, why) from error

    def opt_help_auth_type(self, method: str) -> None:
        """Print the help of a method of --auth, and exit."""
        fault = fault_of_name(method, self.supportsCheckerFactory)
        if fault:
            raise usage.UsageError(f"--help-auth-type {method}: {fault}")
        super().opt_help_auth_type(method)

    def opt_version(self) -> NoReturn:
        """Print chatd's version, and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that are not options.

        Raises:
            UsageError: There is such an argument.
        """
        if arguments:
            raise usage.UsageError(
                f"{arguments[0]!r} is not an option: options begin with --, and --help lists them"
            )

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options.

        Raises:
            UsageError: An option is wrong.
            StartupError: An option is wrong, and a program parses the options: twistd would print
                a usage error in three lines, and to standard output.
        """
        try:
            self._check_names(sys.argv[1:] if options is None else options)
            super().parseOptions(options)
        except usage.UsageError as error:
            text = " ".join(str(error).split())
            if isinstance(error.__context__, getopt.GetoptError):
                text += "; --help lists the options"
            if self.parent is not None:
                raise StartupError(f"chatd: {text}") from error
            raise usage.UsageError(text) from error

    def _check_names(self, arguments: Sequence[str]) -> None:
        """Refuse unknown options, and shortened ones, which getopt would take.

        A unit file with a shortened option would break when a later chatd has another option that
        begins the same.
        """
        takes_value = {f"--{name.rstrip('=')}": name.endswith("=") for name in self.longOpt}
        takes_value |= {
            f"-{name}": bool(colon) for name, colon in re.findall("([^:])(:?)", self.shortOpt)
        }
        line = CommandLine.of(arguments, takes_value, any_value=True)
        for name in line.unknown:
            if name in _options_of(self.parent):
                raise usage.UsageError(
                    f"{name} is an option of the program, not of chatd: write it before the word "
                    "chatd"
                )
        if line.unknown:
            text = unrecognized(line.unknown, takes_value)
            raise usage.UsageError(f"{text}; --help lists the options")

    def postOptions(self) -> None:
        """Assemble the daemon here, so that every wrong setting is a usage error."""
        from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

        program = {} if self.parent is None else self.parent  # the options of twistd or twist
        count = sum(map(is_stdio, self["endpoints"]))
        if count > 1:
            raise usage.UsageError("--endpoint stdio: can be given only once")
        if count:
            check_standard_output(program)
        check_program(program)
        self["log"] = log_of(reactor, program)
        reopen_log = None if self["log"] is None else self["log"].reopen
        try:
            self["service"] = make_service(
                reactor,
                settings_of(self),
                reopen_log=reopen_log,
                gives_up_root=program.get("uid") is not None,
            )
            if program.get("pidfile") and not program.get("chroot"):
                check_pid_file(program["pidfile"])
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error


def _options_of(program: usage.Options | None) -> set[str]:
    """Return the long options of twistd or twist, if it parses the command line."""
    return {f"--{name.rstrip('=')}" for name in getattr(program, "longOpt", ())}


def makeService(options: Options) -> IService:
    """Return the daemon's service; twistd calls it with the parsed options."""
    from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

    allow_all_descriptors(reactor)
    go_by_monotonic_time(reactor)
    service: IService = options["service"]
    log = options["log"]
    if not isinstance(log, LogService):
        return service
    service.setServiceParent(log)
    return log
