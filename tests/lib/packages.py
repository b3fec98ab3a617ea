"""Python packages that Debian does not have: a virtual environment in the build folder, from a lock file with hashes."""
import hashlib
import os
import pathlib
import subprocess
import sys


def enter(build, folder):
    """Goes on in the environment of folder/requirements.txt, made if it is not there or of another lock file. Restarts the
    program unless it runs there already. Debian's own packages are seen, too."""
    lock = pathlib.Path(folder) / "requirements.txt"
    home = pathlib.Path(build).resolve() / "venv" / pathlib.Path(folder).resolve().name
    if pathlib.Path(sys.prefix) == home:
        return
    stamp, wanted = home / "lock", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--system-site-packages", home], check=True, stdout=sys.stderr)
        subprocess.run([home / "bin/python", "-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes",
                        "--only-binary", ":all:", "-r", lock], check=True, stdout=sys.stderr)
        stamp.write_text(wanted)
    os.execv(home / "bin/python", [home / "bin/python", *sys.argv])
