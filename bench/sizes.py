"""What an installation costs: download, disk, packages, seconds. Needs a package index, or its cache.

    python -m bench.sizes [--largest 15]

A fresh environment in a temporary folder gets `frontdesk[embedded]` from this checkout, as `make run` installs it but
not editable. The first `pip download` fills pip's cache; the seconds are of the installation after it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT_FROM = ("pyproject.toml", "LICENSE", "bot", "adapters")
PIP_ITSELF = frozenset({"pip", "setuptools", "wheel"})
LARGE_FILE_MB = 1.0


def main(largest: int) -> None:
    """Install, look, print."""
    with tempfile.TemporaryDirectory(prefix="fd-sizes") as name:
        folder = Path(name)
        source = copied(folder / "source")
        python = folder / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)  # noqa: S603 - our own arguments
        wheels = folder / "wheels"
        pip(python, "download", "--dest", wheels, f"{source}[embedded]")
        began = time.monotonic()
        pip(python, "install", f"{source}[embedded]")
        seconds = time.monotonic() - began
        packages = installed(python)
        print_summary(wheels, packages, seconds, folder / "venv")
        print_largest(packages, largest)
        print_large_files(Path(packages[0].place), largest)


def copied(to: Path) -> Path:
    """The checkout without what building it would leave there."""
    to.mkdir()
    (to / "README.md").touch()  # must be there to build; its length is no matter
    for name in BUILT_FROM:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, to / name)
    return to


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip of an environment; only its errors are shown."""
    subprocess.run(  # noqa: S603 - our own arguments
        [python, "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check", *arguments], check=True
    )


class Package:
    """An installed package: its files on disk, those compiled at installation too."""

    def __init__(self, name: str, version: str, place: str, files: list[str]) -> None:
        self.name = name
        self.version = version
        self.place = place
        self.bytes = sum(disk_bytes(Path(place, file)) for file in files)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


LIST_FILES = """
import importlib.metadata, json
print(json.dumps([
    [d.name, d.version, str(d.locate_file("")), [str(f) for f in d.files or ()]]
    for d in importlib.metadata.distributions()
]))
"""


def installed(python: Path) -> list[Package]:
    """What stands in an environment, the largest first, pip itself left out."""
    answer = subprocess.run([python, "-c", LIST_FILES], check=True, capture_output=True, text=True)  # noqa: S603
    packages = [Package(*row) for row in json.loads(answer.stdout) if row[0].lower() not in PIP_ITSELF]
    return sorted(packages, key=lambda package: -package.bytes)


def disk_bytes(path: Path) -> int:
    """Blocks that a file occupies; 0 if it is not there."""
    return path.lstat().st_blocks * 512 if path.exists() else 0


def tree_bytes(folder: Path) -> int:
    """Blocks that all files below a folder occupy, a file with several names once."""
    seen = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = Path(parent, name).lstat()
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def print_summary(wheels: Path, packages: list[Package], seconds: float, venv: Path) -> None:
    """The four figures."""
    # Ours is built here and not downloaded.
    files = [file for file in wheels.iterdir() if not file.name.startswith("frontdesk")]
    download = sum(file.stat().st_size for file in files)
    own = sum(package.bytes for package in packages)
    print(f"download            {download / 1e6:7.1f} MB in {len(files)} wheels")
    print(f"installed packages  {own / 1e6:7.1f} MB in {len(packages)} packages, Front Desk among them")
    print(f"whole environment   {tree_bytes(venv) / 1e6:7.1f} MB with pip itself")
    print(f"installing          {seconds:7.1f} s with a warm pip cache")


def print_largest(packages: list[Package], count: int) -> None:
    """Where the size is."""
    print("\nThe largest packages, MB on disk")
    for package in packages[:count]:
        print(f"  {package.bytes / 1e6:7.1f}  {package}")


def print_large_files(site_packages: Path, count: int) -> None:
    """Single files that stand out."""
    sizes = sorted(((disk_bytes(path), path) for path in site_packages.rglob("*") if path.is_file()), reverse=True)
    print("\nThe largest files, MB on disk")
    for size, path in sizes[:count]:
        if size / 1e6 >= LARGE_FILE_MB:
            print(f"  {size / 1e6:7.1f}  {path.relative_to(site_packages)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What an installation costs")
    parser.add_argument("--largest", type=int, default=15, help="how many packages and files are listed")
    main(parser.parse_args().largest)
