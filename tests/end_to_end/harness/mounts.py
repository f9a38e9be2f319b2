"""Filesystems that can be taken away: a loop device with ext4, a small tmpfs."""
import contextlib
import itertools
import pathlib
import shutil
import subprocess

from harness.process import PATIENCE, wait_until

COPIES = itertools.count(1)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def is_mounted(point):
    """Without looking at it: a filesystem that was shut down may say nothing but EIO, not even that it is there."""
    table = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return any(line.split()[4] == str(point) for line in table.splitlines())


@contextlib.contextmanager
def read_only(directory):
    """A directory in which nothing can be changed, whoever has files open beside it."""
    run("mount", "--bind", directory, directory)
    try:
        run("mount", "-o", "remount,ro,bind", directory)
        yield
    finally:
        run("umount", "-l", directory)


def fill(point, what):
    """Until the disk has no byte left, or no inode."""
    ballast = point / "ballast"
    ballast.mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count() if what == "inodes" else [0]:
            (ballast / str(number)).touch()
    with open(ballast / "0", "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1) if what == "bytes" else []:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def make_room(point):
    shutil.rmtree(point / "ballast")


class Mount:
    def __init__(self, point):
        self.point = pathlib.Path(point)
        self.point.mkdir(parents=True, exist_ok=True)

    def unmount(self):
        """As soon as nobody uses it any more; somebody may be just about to end."""
        wait_until(lambda: not is_mounted(self.point) or
                   subprocess.run(["umount", self.point], capture_output=True).returncode == 0, f"umount {self.point}")

    def __enter__(self):
        self.mount()
        return self

    def __exit__(self, *_):
        self.unmount()


class SmallMemory(Mount):
    """A tmpfs of so many MiB."""

    def __init__(self, point, mebibytes, more="mode=755"):
        super().__init__(point)
        self.mebibytes, self.more = mebibytes, more

    def mount(self):
        run("mount", "-t", "tmpfs", "-o", f"size={self.mebibytes}m,{self.more}", "tmpfs", self.point)

    def read_only(self, wanted):
        """As soon as no file is open for writing any more: somebody may be just about to close one."""
        options = f"remount,{'ro' if wanted else 'rw'},size={self.mebibytes}m"
        wait_until(lambda: subprocess.run(["mount", "-o", options, self.point], capture_output=True).returncode == 0,
                   f"{options} of {self.point}")


class LoopDisk(Mount):
    """ext4 or xfs in a file; power_cut() loses what has not been synced."""

    EXT4 = ("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0")
    MAKE = {"ext4": EXT4, "ext4 without a journal": (*EXT4, "-O", "^has_journal"), "ext4 with fast commits": (*EXT4, "-O", "fast_commit"),
            "ext4 with few inodes": (*EXT4, "-N", "1024"), "xfs": ("mkfs.xfs", "-q")}

    def __init__(self, image, point, mebibytes=1024, kind="ext4"):
        super().__init__(point)
        self.image = pathlib.Path(image)
        self.make = self.MAKE[kind]
        self.is_fast = "fast_commit" in self.make
        self.is_spoilt = False  # of no use for judging what was on it
        self.options = "loop,nouuid" if kind == "xfs" else "loop"  # of a copy, see below
        with open(self.image, "wb") as file:
            file.truncate(mebibytes << 20)
        run(*self.make, self.image)

    def leave_to_others(self):
        """Another test's mount namespace may still hold what was unmounted, which is then in use as ever, also if it was shut down.
        Goes on with a copy; True if it had to."""
        if not subprocess.run(["losetup", "-j", self.image], capture_output=True).stdout:
            return False
        run("sync")
        held, self.image = self.image, self.image.with_suffix(f".{next(COPIES)}")
        run("cp", "--sparse=always", held, self.image)
        return True

    def mount(self):
        self.leave_to_others()
        done = subprocess.run(["mount", "-o", self.options, self.image, self.point], capture_output=True, text=True)
        # The kernel's own recovery stumbles over its fast commits at times ("Logical block already allocated", "journal recovery
        # failed"), and names are gone that had been synced. It may mount what is left, and counts that as an error.
        has_failed = done.returncode != 0 or (self.is_fast and self.counts_errors())
        assert not has_failed or self.is_fast, f"mount {self.image}: {done.stderr}"
        self.is_spoilt = has_failed

    def counts_errors(self):
        device = subprocess.run(["findmnt", "-no", "SOURCE", self.point], capture_output=True, text=True, check=True).stdout.strip()
        return int(pathlib.Path("/sys/fs/ext4", pathlib.Path(device).name, "errors_count").read_text()) > 0

    def age(self, directory, seconds):
        """As if all that is below it had been made, changed and moved there so much earlier, also by the time that nobody can set
        (ctime). Nothing may use the disk: it is unmounted for that."""
        ages = [(path.relative_to(self.point), path.lstat()) for path in directory.rglob("*")]
        self.unmount()
        if self.leave_to_others():  # with a journal that the next mount would write over what is set here
            assert subprocess.run(["e2fsck", "-fy", self.image], capture_output=True, timeout=PATIENCE).returncode in (0, 1)
        lines = [f"set_inode_field /{path} {field} @{int(getattr(status, 'st_' + field) - seconds)}\n"
                 for path, status in ages for field in ("ctime", "mtime", "atime")]
        done = subprocess.run(["debugfs", "-w", "-f", "-", str(self.image)], input="".join(lines), capture_output=True, text=True,
                              timeout=PATIENCE)
        assert done.returncode == 0, done
        self.mount()
        for path, status in ages:
            assert (self.point / path).stat().st_ctime < status.st_ctime - seconds + 1, path

    def power_cut(self):
        """From now on nothing reaches the disk any more, not even the journal; the next mount recovers."""
        run("xfs_io", "-x", "-c", "shutdown", self.point)
