"""`os.execute` and `io.popen` of scripts: shell commands that end with the callback that waits.

LuaJIT's own would wait without an end; and the garbage collector waits for what io.popen started,
which would stop the whole process. Here each command has a process group of its own, which is
killed when its time is over, and when the runtime ends.
"""

import os
import select
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

_CHUNK_BYTES = 65536
# Whoever sends images waits for an answer; nobody waits for what a script has converted.
_NICENESS = 10
Outcome = tuple[bool | None, str, int]  # Lua 5.2: true or nil, "exit" or "signal", the code


class Shell:
    """The commands of one runtime. seconds_left: until the callback that runs must end.

    A method that finds the time over kills its command; the caller must look at the clock then.
    """

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._commands: dict[int, subprocess.Popen[bytes]] = {}

    def execute(self, command: str) -> Outcome:
        """Run and wait. Raises OSError, ValueError (a NUL in the command)."""
        return self.close(self._start(command, stdin=subprocess.DEVNULL))

    def open_reader(self, command: str) -> int:
        """Run; answers a handle for read() and close(). Raises OSError, ValueError."""
        return self._start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def open_writer(self, command: str) -> int:
        """Run; answers a handle for write() and close(). Raises OSError, ValueError."""
        return self._start(command, stdin=subprocess.PIPE)

    def read(self, handle: int) -> bytes:
        """What the command has written, at least one byte; b"" at its end."""
        pipe = self._commands[handle].stdout
        assert pipe is not None
        if not self._is_ready(pipe.fileno(), select.POLLIN):
            self._kill(handle)
            return b""
        return os.read(pipe.fileno(), _CHUNK_BYTES)

    def write(self, handle: int, data: bytes) -> None:
        """Give the command something to read. Raises BrokenPipeError: it reads no more."""
        pipe = self._commands[handle].stdin
        assert pipe is not None
        while data:
            if not self._is_ready(pipe.fileno(), select.POLLOUT):
                self._kill(handle)
                return
            data = data[os.write(pipe.fileno(), data[: select.PIPE_BUF]) :]

    def close(self, handle: int) -> Outcome:
        """Close the pipe and wait for the end of the command."""
        process = self._commands[handle]
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        if not self._ends_in_time(process):
            self._kill(handle)
        code = process.wait()
        del self._commands[handle]
        if code < 0:
            return None, "signal", -code
        return code == 0 or None, "exit", code

    def interrupt(self) -> None:
        """From any thread: kill what runs."""
        for handle in tuple(self._commands):
            self._kill(handle)

    def end(self) -> None:
        """The runtime ends: kill what runs and forget it."""
        self.interrupt()
        for handle in tuple(self._commands):
            self.close(handle)

    def _start(self, command: str, *, stdin: int, stdout: int | None = None) -> int:
        process = subprocess.Popen(
            ["/bin/sh", "-c", os.fsencode(command)],
            stdin=stdin,
            stdout=stdout,
            bufsize=0,
            process_group=0,
        )
        self._commands[process.pid] = process
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PGRP, process.pid, _NICENESS)
        return process.pid

    def _kill(self, handle: int) -> None:
        process = self._commands.get(handle)
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _is_ready(self, descriptor: int, event: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, event)
        return bool(poll.poll(self._seconds_left() * 1000))

    def _ends_in_time(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            return True
        if hasattr(os, "pidfd_open"):  # Linux; it becomes readable when the process ends
            descriptor = os.pidfd_open(process.pid)
            try:
                return self._is_ready(descriptor, select.POLLIN)
            finally:
                os.close(descriptor)
        with suppress(subprocess.TimeoutExpired):  # polls, at worst 20 times a second
            process.wait(self._seconds_left())
        return process.returncode is not None
