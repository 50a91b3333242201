"""Connections to Redis that are cut at a command."""

from chatd.backplane.redis.script import loaded


def name_of(arguments):
    """Return the name of a command, or of the script that it runs."""
    names = {script.sha: script.name for script in loaded()}
    command, *rest = arguments
    if command == "EVALSHA":
        return names[rest[0]]
    return command.decode() if isinstance(command, bytes) else command


def cut_at(backplane, script, *, is_sent):
    """Cut the connection for commands at a script, before or after Redis gets it."""
    commands = backplane.link.attachment.commands
    send = commands._send

    def abort(_=None):
        commands.transport.abortConnection()

    def send_or_cut(*arguments):
        if name_of(arguments) != script:
            send(*arguments)
        elif is_sent:
            commands.dataReceived = abort
            send(*arguments)
        else:
            abort()

    commands._send = send_or_cut
