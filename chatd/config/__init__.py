"""The operator's files: keys, passwords, operators and bans."""
