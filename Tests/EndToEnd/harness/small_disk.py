"""A file system of a few megabytes that a test can fill, in a mount namespace that nobody else sees."""

import os
import subprocess
from pathlib import Path

from .tacho import Tacho


class SmallDisk:
    """A tmpfs of `megabytes` at `path`, seen only by what is started with `inside`.

    `outside` is the path under which this process reaches the same place.
    """

    def __init__(self, path, megabytes):
        self.path = Path(path)
        self.path.mkdir(parents=True)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount -t tmpfs -o "size=$1m" tacho "$0" && echo mounted && exec cat', self.path, str(megabytes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.is_mounted = self.holder.stdout.readline() == "mounted\n"

    @property
    def problem(self):
        """Why there is none: an unprivileged user may not mount."""
        return None if self.is_mounted else self.holder.communicate()[1].strip()

    @property
    def outside(self):
        return Path(f"/proc/{self.holder.pid}/root{self.path}")

    def inside(self, words):
        """The words of a command that sees the disk."""
        return ["nsenter", "--target", str(self.holder.pid), "--mount", *map(str, words)]

    def make_read_only(self):
        subprocess.run(self.inside(["mount", "-o", "remount,ro", self.path]), check=True)

    def fill(self, leaving=0):
        """Writes a file that leaves so many bytes."""
        free = os.statvfs(self.outside)
        count = max(free.f_bavail * free.f_frsize - leaving, 0)
        (self.outside / "ballast").write_bytes(b"\0" * count)

    def make_room(self):
        (self.outside / "ballast").unlink()

    def close(self):
        self.holder.kill()
        self.holder.communicate()


class TachoOnDisk(Tacho):
    """The program with its data on a small disk."""

    def __init__(self, scratch, disk, **options):
        super().__init__(scratch, "embedded", environment={"TACHO_DATA": str(disk.path / "data")}, **options)
        self.disk = disk

    def arguments(self):
        return self.disk.inside(super().arguments())
