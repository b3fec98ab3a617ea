"""What these clients take of Debian: PyPI has no wheels of it that fit."""
import importlib.util

PACKAGES = ("olm", "peewee", "atomicwrites", "cachetools")


def missing():
    """Names of packages that are not installed."""
    return [f"python3-{name}" for name in PACKAGES if importlib.util.find_spec(name) is None]
