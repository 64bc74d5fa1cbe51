"""Build the OCI images of the recipes beside this file, without root, registry or container engine.

    python3 kernels/images/build.py RECIPE... --output DIR [--push REGISTRY]

A recipe is a directory with recipe.toml (suites, packages, tree, config, annotations) and
requirements.lock (wheels, with their hashes; requirements-3.10.lock is for that Python alone).
Packages come from the machine's own apt sources (HPCCTR_APT_SOURCES names a file with others), wheels
through pip; both are kept in DIR/.cache and looked up again only with --refresh. DIR/NAME becomes an
OCI image layout whose digests depend on the packages, the recipe and SOURCE_DATE_EPOCH alone. Needs
mmdebstrap, dpkg-deb, GNU tar and user namespaces; skopeo for --push.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import suites
import tree
from layout import OCI, Layout, snapshot

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

Document = dict[str, Any]
HERE = Path(__file__).resolve().parent


def load(name: str) -> Document:
    """Read a recipe and those below it, for the suite that the topmost of them names or else the machine has.

    What a recipe does not say of suites, packages, config and annotations is its base's.
    """
    chain = [_read(name)]
    while "base" in chain[-1]:
        chain.append(_read(chain[-1]["base"]))
    words: dict[str, dict[str, str]] = {}
    for each in reversed(chain):
        for suite, more in each.get("suites", {}).items():
            words[suite] = {**words.get(suite, {}), **more}
    pinned = [each["debian"]["suite"] for each in chain if "suite" in each["debian"]]
    suite = pinned[0] if pinned else suites.choose(words)
    recipe: Document = {}
    for each in reversed(chain):
        recipe = _complete(suites.fill(each, words.get(suite, {})), recipe, suite)
    return recipe


def _read(name: str) -> Document:
    place = Path(name) if "/" in name else HERE / name
    try:
        recipe: Document = tomllib.loads((place / "recipe.toml").read_text())
    except FileNotFoundError:
        raise SystemExit(f"there is no recipe {place}/recipe.toml") from None
    return recipe | {"place": str(place)}


def _complete(recipe: Document, base: Document, suite: str) -> Document:
    place = Path(recipe.pop("place"))
    own = place / f"requirements-{recipe['wheels']['python']}.lock"
    recipe["lock"] = (own if own.exists() else place / "requirements.lock").read_text()
    recipe["suite"], recipe["below"] = suite, base or None
    recipe["all_packages"] = [*base.get("all_packages", []), *recipe["debian"]["packages"]]
    recipe["without"] = [*base.get("without", []), *recipe["debian"].get("without", [])]
    for key in ("config", "annotations"):
        recipe[key] = {**base.get(key, {}), **recipe.get(key, {})}
    return recipe


def epoch_of(recipe: Document) -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or recipe["created"].timestamp())


def key_of(recipe: Document) -> str:
    """Return a digest of everything that a build reads, short of the package archive."""
    code = "".join((HERE / f).read_text() for f in ("build.py", "suites.py", "tree.py", "layout.py"))
    what = json.dumps([recipe, epoch_of(recipe), tree.arch(), code], default=str, sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()


def build(recipe: Document, output: Path, cache: Path) -> str:
    """Build a recipe and what is below it, unless that is there already; return its index's digest."""
    base = recipe["below"]
    below = build(base, output, cache) if base else ""
    place, record = output / recipe["name"], output / f"{recipe['name']}.json"
    key = hashlib.sha256((key_of(recipe) + below).encode()).hexdigest()
    if place.is_dir() and record.exists() and (known := json.loads(record.read_text()))["key"] == key:
        return str(known["digest"])
    files = tree.debs(recipe, recipe["all_packages"], cache), tree.wheels(recipe, cache)
    with tempfile.TemporaryDirectory(dir=output, prefix=".build-") as temporary:
        digest = assemble(recipe, output, Path(temporary), files)
        shutil.rmtree(place, ignore_errors=True)
        Path(temporary, "layout").rename(place)
    record.write_text(json.dumps({"key": key, "digest": digest, "tag": recipe["version"]}) + "\n")
    return digest


def assemble(recipe: Document, output: Path, work: Path, files: tuple[list[Path], list[Path]]) -> str:
    """Lay out the tree step by step, a layer each, and write the layout; return the index's digest."""
    root, layout = work / "root", Layout(work / "layout", epoch_of(recipe))
    root.mkdir()
    manifest, config = inherit(recipe, output, root, layout)
    before = snapshot(root)
    steps = (("Debian packages", tree.unpack_debs, files[0]), ("wheels", tree.unpack_wheels, files[1]))
    for step, unpack, sources in steps:
        tree.say(f"{recipe['name']}: layer of {step}")
        unpack(root, recipe, sources)
        if unpack is tree.unpack_debs:
            tree.furnish(root, recipe["tree"])
        tree.settle(root)
        after = snapshot(root)
        if after == before:
            continue
        descriptor, diff = layout.layer(root, before, after)
        manifest["layers"].append(descriptor)
        config["rootfs"]["diff_ids"].append(diff)
        config["history"].append({"created": layout.created, "created_by": f"{recipe['name']}: {step}"})
        before = after
    manifest["annotations"].update(describe(recipe, root, layout.created))
    return layout.finish(manifest, config, recipe["version"])


def inherit(recipe: Document, output: Path, root: Path, layout: Layout) -> tuple[Document, Document]:
    """Begin a manifest and a config with the layers of the image below, unpacked to ``root``."""
    config: Document = {"architecture": tree.arch(), "os": "linux", "config": recipe["config"]}
    config |= {"created": layout.created, "history": [], "rootfs": {"type": "layers", "diff_ids": []}}
    manifest: Document = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "layers": []}
    manifest["annotations"] = {}
    if recipe["below"] is None:
        return manifest, config
    name, version = recipe["below"]["name"], recipe["below"]["version"]
    entry, lower, lower_config = Layout.read(output / name)
    for descriptor in lower["layers"]:
        source = output / name / "blobs/sha256" / descriptor["digest"].partition(":")[2]
        shutil.copyfile(source, layout.blobs / source.name)
        tree.run("tar", "-xzf", source, "-C", root, "--no-same-owner", "--keep-directory-symlink")
    manifest["layers"] += lower["layers"]
    manifest["annotations"] = {
        "org.opencontainers.image.base.name": f"{name}:{version}",
        "org.opencontainers.image.base.digest": entry["digest"],
    }
    config |= {"history": lower_config["history"], "rootfs": lower_config["rootfs"]}
    return manifest, config


def describe(recipe: Document, root: Path, created: str) -> dict[str, str]:
    """Return the recipe's annotations with the packages' upstream versions in place of their names."""
    versions = {}
    for path in (root / "var/lib/dpkg/status.d").iterdir():
        version = re.search(r"^Version: (?:\d+:)?(.+?)(?:-[^-]+)?$", path.read_text(), re.MULTILINE)
        versions[tree.plain(path.name)] = version[1] if version else ""
    cpu = {"amd64": "x86_64", "arm64": "aarch64"}.get(tree.arch(), tree.arch())
    own = {name: text.format_map(versions) for name, text in recipe["annotations"].items()}
    return {**own, "org.opencontainers.image.created": created, "io.archspec.cpu.target": cpu}


def push(recipe: Document, source: str, registry: str) -> str:
    """Copy an image to a registry, by plain http only where that is this machine's; return its name."""
    target = f"{registry}/{recipe['name']}:{recipe['version']}"
    loopback = re.match(r"(localhost|127\.0\.0\.1|\[::1\])[:/]", target)
    options = ["--dest-tls-verify=false"] if loopback else []
    tree.run("skopeo", "--insecure-policy", "copy", "--all", *options, source, f"docker://{target}")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("recipe", nargs="+", help="directory beside this file, or path with a slash")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--push", metavar="REGISTRY", help="copy each there, as REGISTRY/NAME:VERSION")
    parser.add_argument("--refresh", action="store_true", help="resolve packages anew and build again")
    args = parser.parse_args()
    cache = args.output / ".cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (args.output / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if args.refresh:
            for old in (*cache.iterdir(), *args.output.glob("*.json")):
                old.unlink() if old.is_file() else shutil.rmtree(old)
        for name in args.recipe:
            recipe = load(name)
            digest = build(recipe, args.output, cache)
            where = f"oci:{args.output / recipe['name']}:{recipe['version']}"
            print(push(recipe, where, args.push) if args.push else where, digest)


if __name__ == "__main__":
    os.umask(0o022)
    main()
