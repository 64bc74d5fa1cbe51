"""An image's tree of files: what is downloaded for it, and how it is laid out. Part of build.py."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import suites

PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def run(*words: str | Path, stdin: str | None = None, **env: str) -> str:
    """Run a command that must succeed; what it says goes to our standard error when it does not."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            [str(w) for w in words],
            input=stdin,
            env={**os.environ, "PATH": path, **env},
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise SystemExit(f"{words[0]} is not installed") from None
    if done.returncode != 0:
        line = " ".join(map(str, words))[:200]
        raise SystemExit(f"{line}…\nfailed: {(done.stderr or done.stdout)[-3000:]}")
    return done.stdout


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def kept(cache: Path, key: object, fill: Callable[[Path], None]) -> Path:
    """Return the directory of the cache for a key, filled once, whole or not at all."""
    place = cache / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            fill(made := Path(temporary, "made"))
            made.rename(place)
    return place


def debs(recipe: dict[str, Any], packages: list[str], cache: Path) -> list[Path]:
    suite = recipe["suite"]

    def fill(target: Path) -> None:
        say(f"{recipe['name']}: resolving packages of {suite}")
        sources, root = target.parent / "sources.list", target.parent / "root"
        sources.write_text(lines := suites.lines(suite))
        if f" {suite}-security " not in lines:
            say(f"{recipe['name']}: no source of {suite}-security here: packages are without their security updates")
        mode = "root" if os.geteuid() == 0 else "chrootless"
        options = (f"--mode={mode}", "--variant=extract", "--skip=cleanup", "--quiet")
        include = ('--aptopt=Apt::Install-Recommends "false"', f"--include={','.join(packages)}")
        run("mmdebstrap", *options, *include, suite, root, sources)
        (root / "var/cache/apt/archives").rename(target)
        shutil.rmtree(target / "partial", ignore_errors=True)

    return sorted(kept(cache, ["debs", suite, packages, arch()], fill).glob("*.deb"))


def wheels(recipe: dict[str, Any], cache: Path) -> list[Path]:
    lock, python, machine = recipe["lock"], recipe["wheels"]["python"], os.uname().machine

    def fill(target: Path) -> None:
        say(f"{recipe['name']}: fetching wheels")
        listed = target.parent / "requirements.lock"
        listed.write_text(lock)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
        platforms = [f"--platform={p}_{machine}" for p in PLATFORMS]
        version = f"--python-version={python}"
        run(*pip, "--only-binary=:all:", *platforms, "--platform=any", version, "-r", listed, "-d", target)

    return sorted(kept(cache, ["wheels", lock, python, machine], fill).glob("*.whl"))


def arch() -> str:
    return run("dpkg", "--print-architecture").strip()


def dropped(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, p) for p in patterns)


def plain(package: str) -> str:
    """Return a package's name without the "t64" that it has since it was built for 64-bit times."""
    return package.removesuffix("t64")


def unpack_debs(root: Path, recipe: dict[str, Any], files: list[Path]) -> None:
    """Unpack what is not in a lower layer, usr-merged; no maintainer script runs."""
    section, status = recipe["debian"], root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (root / name).symlink_to(f"usr/{name}")
    for deb in files:
        package = deb.name.partition("_")[0]
        if package not in section["packages"] and dropped(plain(package), recipe["without"]):
            continue
        if (status / package).exists():
            continue
        data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
        options = [f"--exclude=./{p}" for p in section.get("drop", [])]
        tar = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner", *options]
        subprocess.run(tar, stdin=data.stdout, check=True)
        if data.wait() != 0:
            raise SystemExit(f"{deb} cannot be unpacked")
        (status / package).write_text(run("dpkg-deb", "-f", deb))


def unpack_wheels(root: Path, recipe: dict[str, Any], files: list[Path]) -> None:
    """Put wheels where Debian's Python looks for them (PEP 427); commands are left out."""
    site = f"usr/local/lib/python{recipe['wheels']['python']}/dist-packages"
    schemes = {"data": "usr/local", "purelib": site, "platlib": site}
    for wheel in files:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                data = re.fullmatch(r"[^/]+\.data/([a-z]+)/(.+)", member.filename)
                below, name = (schemes.get(data[1]), data[2]) if data else (site, member.filename)
                if below is None or member.is_dir() or dropped(f"{below}/{name}", recipe["wheels"]["drop"]):
                    continue
                place, runs = root / below / name, (member.external_attr >> 16) & 0o111
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(member))
                place.chmod(0o755 if runs or name.endswith(".so") else 0o644)


def furnish(root: Path, tree: dict[str, Any]) -> None:
    for name in tree.get("directories", []):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in tree.get("links", {}).items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target.format(machine=os.uname().machine))
    for name, source in tree.get("copies", {}).items():
        shutil.copyfile(root / source, root / name)
    for name, pattern in tree.get("concatenated", {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"".join(p.read_bytes() for p in sorted(root.glob(pattern))))
    for name, text in tree.get("texts", {}).items():
        (root / name).write_text(text)


def settle(root: Path) -> None:
    """Compile the new modules and list the libraries, with the image's own python3 and ldconfig.

    Unchecked-hash .pyc files (PEP 552) hold no time stamp and are not compared with the source. Without -B the
    modules that compileall itself imports would get others first, and keep them.
    """
    inside = ("unshare", "--map-root-user", "chroot", root)
    new = [
        f"/{p.relative_to(root)}"
        for p in sorted(root.glob("usr/**/*.py"))
        if "lib2to3/tests" not in str(p) and not list((p.parent / "__pycache__").glob(f"{p.stem}.*.pyc"))
    ]
    compileall = ("/usr/bin/python3", "-BESs", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash")
    run(*inside, *compileall, "-i", "-", stdin="\n".join(new), PYTHONHASHSEED="0", LC_ALL="C.UTF-8")
    run(*inside, "/sbin/ldconfig")
    shutil.rmtree(root / "var/cache/ldconfig", ignore_errors=True)
