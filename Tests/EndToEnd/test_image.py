"""The image without a container engine: the runtime stage of the Dockerfile as a root file system, with `tacho` in it.

A minimal Debian with exactly the packages that the Dockerfile names is put together once, with mmdebstrap from the
mirror of this machine, and kept in .build. That first time takes one to two minutes and the network, so it happens where
it is asked for (`TACHO_E2E_IMAGE=1 scripts/test e2e`); where it is there already, the tests take a second and always run.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import Address, Metrics, free_port, tacho as program
from harness.redis_server import client

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]

KEPT = "image-root-"
TOOLS = os.environ["PATH"] + ":/usr/sbin"

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("TACHO_E2E_IMAGE") != "1" and not list((ROOT / ".build").glob(f"{KEPT}*")),
        reason="puts a Debian together in two minutes; TACHO_E2E_IMAGE=1"),
    pytest.mark.timeout(600),
]


def packages():
    install = re.search(r"apt-get install -y --no-install-recommends ([a-z0-9 .+\\\n-]+?)\s*\\?\n\s*&&", RUNTIME)
    return install[1].replace("\\\n", " ").split()


@pytest.fixture(scope="module")
def root_file_system():
    """Kept until the Dockerfile names other packages."""
    for tool in ["mmdebstrap", "chroot"]:
        if shutil.which(tool, path=TOOLS) is None:
            pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("only root can enter another root file system")
    release = re.match(r"debian:([a-z]+)-slim", RUNTIME)[1]
    name = hashlib.sha256(f"{release} {packages()}".encode()).hexdigest()[:12]
    made = ROOT / ".build" / f"{KEPT}{name}"
    if not made.exists():
        building = made.with_suffix(".new")
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages())}", release,
                        str(building)], check=True, timeout=500)
        building.rename(made)
    return made


@pytest.fixture
def image(root_file_system):
    """The root file system with what the build stage leaves in it, and the user that runs it.

    The Dockerfile's program has its Swift libraries inside. One that was built here without them brings them along; the
    libraries of the distribution are those of the image in either case.
    """
    target = root_file_system / "usr/local/bin/tacho"
    target.unlink(missing_ok=True)
    shutil.copy2(program.binary(), target)
    linked = subprocess.run(["ldd", program.binary()], capture_output=True, text=True, check=True).stdout
    beside = root_file_system / "opt/swift-libraries"
    beside.mkdir(parents=True, exist_ok=True)
    for path in re.findall(r"=> (/\S*/swift/\S+)", linked):
        shutil.copy2(path, beside)
    home = root_file_system / "var/lib/tacho"
    home.mkdir(exist_ok=True)
    os.chown(home, 10001, 10001)
    return root_file_system


def inside(image, *words):
    """As a container starts it: with /proc, where Swift finds the words of the command line, and not as root."""
    enter = 'mount -t proc proc "$0/proc" && exec "$1" --userspec=10001:10001 "$0" "${@:2}"'
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": "/opt/swift-libraries"}
    return subprocess.Popen(["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/bash", "-c", enter,
                             str(image), shutil.which("chroot", path=TOOLS), *words], env=variables,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_every_library_is_one_that_the_image_has(image):
    done = inside(image, "ldd", "/usr/local/bin/tacho").communicate(timeout=60)[0]
    assert "not found" not in done, done


def test_the_program_starts_serves_and_drains(image):
    redis_port, http = free_port(), free_port()
    process = inside(image, "/usr/local/bin/tacho", "run", "--redis", f"127.0.0.1:{redis_port}=embedded",
                     "--http", f"127.0.0.1:{http}", "--data", "/var/lib/tacho/data", "--otlp", "none")
    try:
        said = []
        while not said or "ready" not in said[-1]:
            line = process.stdout.readline()
            assert line, said
            said.append(line)
        app = client(Address(port=redis_port))
        entry = app.xadd("orders", {"item": "book"})
        fields = dict(app.xrange("orders"))[entry]
        assert fields["item"] == "book" and "traceparent" in fields
        assert Metrics.scrape(f"http://127.0.0.1:{http}/metrics").sum("tacho_injected_messages_total") == 1
        # What the health check of docker-compose.yml does, with the image's own bash.
        check = (f"exec 3<>/dev/tcp/127.0.0.1/{http} && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\n"
                 "Connection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '")
        assert inside(image, "bash", "-c", check).wait(20) == 0
        app.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
