"""The standard's knowledge, without sockets, threads or a database."""
