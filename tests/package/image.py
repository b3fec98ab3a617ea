"""docker/Dockerfile built and run: by buildah, without a daemon and a registry. The image that it begins with is Debian by mmdebstrap under its name.

Processes in it share this machine's network; a port of this run's own is in parta.yaml. What docs/install.md, "In containers", says is done with buildah's words
for docker's.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from harness import free_port, until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PERSON = [sys.executable, ROOT / "tests/package/person.py"]
LIMIT_S = 2400


class Buildah:
    def __init__(self, folder):
        self.folder = folder
        self.words = ["buildah", "--root", str(folder / "containers"), "--runroot", str(folder / "runroot")]

    def __call__(self, *words, wrong=False, **options):
        """What it printed. wrong: (exit code, what it printed)."""
        done = subprocess.run([*self.words, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False, **options)
        if wrong:
            return done.returncode, done.stdout
        if done.returncode != 0:
            raise RuntimeError(f"buildah {words[0]} ends with {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def inspect(self, name):
        """Of a container: what the image says of running it, in Docker's form."""
        done = subprocess.run([*self.words, "inspect", name], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["Docker"]["config"]

    def make_base(self, name):
        tar = self.folder / "base.tar"
        subprocess.run(["mmdebstrap", "--variant=minbase", "--quiet", "bookworm", tar], check=True, timeout=LIMIT_S)
        container = self("from", "scratch")
        self("add", "--quiet", container, tar, "/")
        tar.unlink()
        self("commit", "--quiet", "--rm", container, f"docker.io/library/{name}")

    def dispose(self):
        self("rm", "--all", wrong=True)
        self("rmi", "--all", "--force", wrong=True)


class Container:
    """A container of the image with parta.yaml laid into it, and partad running as the image says."""

    def __init__(self, buildah, image, folder):
        self.buildah, self.port = buildah, free_port()
        self.configuration = folder / "container.yaml"
        self.configuration.write_text(f"server_name: school.test\npublic_baseurl: http://127.0.0.1:{self.port}\nlisten:\n  port: {self.port}\n")
        self.configuration.chmod(0o644)
        self.name = buildah("from", "--pull-never", image)
        about = buildah.inspect(self.name)
        self.entry, self.health = about["Entrypoint"] + about["Cmd"], about["Healthcheck"]["Test"]
        self.log = open(folder / "container.log", "w", encoding="utf-8")
        self.process = subprocess.Popen([*buildah.words, *self.run_words(), *self.entry], stdout=self.log, stderr=subprocess.STDOUT)

    def run_words(self):
        return ["run", "--isolation", "chroot", "--env", f"PARTA_PORT={self.port}", "--volume", f"{self.configuration}:/etc/parta/parta.yaml:ro", self.name, "--"]

    def run(self, *words, **options):
        return self.buildah(*self.run_words(), *words, wrong=True, **options)

    def is_healthy(self):
        assert self.health[0] == "CMD", self.health
        return self.run(*self.health[1:])[0] == 0

    def server(self):
        """The process of partad itself: a child of buildah's, whose image it is."""
        found = subprocess.run(["pgrep", "-f", "^" + " ".join(self.entry)], capture_output=True, text=True, check=False).stdout.split()
        mine = [pid for pid in found if f"PARTA_PORT={self.port}" in pathlib.Path(f"/proc/{pid}/environ").read_text()]
        return int(mine[0])

    def end(self):
        with contextlib.suppress(IndexError): # it has ended
            os.kill(self.server(), signal.SIGKILL)
        self.process.wait(60)


def check(t, folder, build):
    name = "docker/Dockerfile is built, and its server runs"
    for tool in ("buildah", "mmdebstrap"):
        if not shutil.which(tool):
            return t.skip(name, f"no {tool} here")
    buildah = Buildah(folder)
    try:
        for base in sorted(set(re.findall(r"^FROM (\S+)", (ROOT / "docker/Dockerfile").read_text(), re.M))):
            buildah.make_base(base)
        code, said = buildah("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "-f", "docker/Dockerfile", "-t", "parta", ".", wrong=True, cwd=ROOT)
        t.ok(code == 0, "docker/Dockerfile is built", said[-3000:])
        if code == 0:
            runs(t, buildah, folder, build)
    finally:
        buildah.dispose()


def runs(t, buildah, folder, build):
    container = Container(buildah, "parta", folder)
    try:
        until(lambda: container.process.poll() is not None or container.is_healthy(), "the server in the container")
        t.ok(container.process.poll() is None, "its server runs, and its health check is content", (folder / "container.log").read_text()[-2000:])
        t.ok(container.run("id", "-un")[1].strip() == "parta", "as a user of its own", container.run("id"))
        is_used(t, container, folder, build)
        os.kill(container.server(), signal.SIGTERM)
        t.ok(container.process.wait(60) == 0, "it ends in order by SIGTERM, as the image says", (folder / "container.log").read_text()[-2000:])
        t.ok(not container.is_healthy(), "and then is not healthy")
    finally:
        container.end()
        container.log.close()


def is_used(t, container, folder, build):
    """The guide's words for containers, and a first administrator."""
    def parta(*words):
        return container.run("parta", *words)

    made = [parta("config", "check"), parta("school", "create", "--id", "s1", "School no. 1"), parta("school", "list"),
            parta("person", "create", "s1", "administrator", "--given", "Anna", "--family", "Ivanova")]
    t.ok(all(code == 0 for code, _ in made) and "School no. 1" in made[2][1], "parta in it finds configuration and server by itself", *made)
    user = made[3][1].split("\t")[0]
    _, link = parta("link", "create", "personal", "--user", user)
    address = re.search(r"http://\S+/parta/join/\S+", link)[0]
    joined = subprocess.run([*PERSON, "joins", address], capture_output=True, text=True, check=False)
    claim = parta("claim", "list")[1].split("\t")[0]
    confirmed = parta("claim", "confirm", claim)
    entered = subprocess.run([*PERSON, "signs-in", f"http://127.0.0.1:{container.port}", user], capture_output=True, text=True, check=False)
    t.ok(joined.returncode == 0 and confirmed[0] == 0 and entered.returncode == 0, "the first administrator opens the link and signs in", joined.stderr[-1500:], claim, confirmed, entered.stderr[-1500:])
    subprocess.run([build / "parta", "school", "sample", "--size", "small", folder / "roster.zip"], check=True, capture_output=True)
    with open(folder / "roster.zip", "rb") as roster:
        code, said = container.run("sh", "-c", "cat >/var/lib/parta/roster.zip && parta roster import /var/lib/parta/roster.zip; code=$?; rm /var/lib/parta/roster.zip; exit $code", stdin=roster)
    t.ok(code == 0, "a roster is imported through standard input", said[-1500:])
    code, said = parta("backup", "/var/lib/parta/backup-1")
    t.ok(code == 0 and "parta.db" in container.run("ls", "/var/lib/parta/backup-1")[1], "a backup is made in the volume", said)
