"""Ending what a test started."""

import subprocess


def end(process, number, timeout=20):
    """Sends the signal and waits; a process that does not go is killed. None and one that has gone are left alone."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=timeout)
