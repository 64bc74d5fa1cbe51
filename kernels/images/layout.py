"""An OCI image layout (image-spec 1.1) whose digests depend on the tree alone. Part of build.py."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Return what tells each entry of a tree from another; owners and times are no part of an image."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("dir", 0o1777 if name in ("tmp", "var/tmp") else 0o755)
        else:
            mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
            found[name] = ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


class Layout:
    """An OCI image layout that is being written."""

    def __init__(self, place: Path, epoch: int) -> None:
        self.blobs, self.place, self.epoch = place / "blobs/sha256", place, epoch
        self.blobs.mkdir(parents=True)
        self.created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
        (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def document(self, value: dict[str, Any], media_type: str) -> dict[str, Any]:
        return self.blob(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), media_type)

    def layer(self, root: Path, before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Write what has come or changed; return its descriptor and its uncompressed digest."""
        if gone := sorted(set(before) - set(after)):
            raise SystemExit(f"a step removed {gone[0]} of a lower layer")
        scratch = tempfile.TemporaryFile
        with scratch(dir=self.place) as plain, scratch(dir=self.place) as packed:
            with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for name in sorted(n for n in after if before.get(n) != after[n]):
                    self._add(tar, root, name, after[name])
            plain.seek(0)
            with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as out:
                shutil.copyfileobj(plain, out, 1 << 20)
            plain.seek(0)
            packed.seek(0)
            diff = hashlib.sha256(plain.read()).hexdigest()
            return self.blob(packed.read(), f"{OCI}.layer.v1.tar+gzip"), f"sha256:{diff}"

    def _add(self, tar: tarfile.TarFile, root: Path, name: str, what: tuple[Any, ...]) -> None:
        info = tarfile.TarInfo(name)
        info.mtime, info.mode = self.epoch, 0o777 if what[0] == "link" else what[1]
        if what[0] == "file":
            info.size = (root / name).stat().st_size
            with (root / name).open("rb") as data:
                tar.addfile(info, data)
            return
        info.type = tarfile.DIRTYPE if what[0] == "dir" else tarfile.SYMTYPE
        info.linkname = what[1] if what[0] == "link" else ""
        tar.addfile(info)

    def finish(self, manifest: dict[str, Any], config: dict[str, Any], tag: str) -> str:
        """Write config, manifest and an index of one platform, and name the index; return its digest."""
        manifest["config"] = self.document(config, f"{OCI}.config.v1+json")
        platform = {"architecture": config["architecture"], "os": config["os"]}
        entry = self.document(manifest, f"{OCI}.manifest.v1+json") | {"platform": platform}
        notes = manifest["annotations"]
        entry["annotations"] = {n: notes[n] for n in notes if not n.startswith("org.opencontainers.")}
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [entry]}
        named = self.document(index, f"{OCI}.index.v1+json")
        named["annotations"] = {"org.opencontainers.image.ref.name": tag}
        top = json.dumps({**index, "manifests": [named]}, separators=(",", ":"), sort_keys=True)
        (self.place / "index.json").write_text(top)
        return str(named["digest"])

    @staticmethod
    def read(place: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return the index entry, the manifest and the config of a layout that ``finish`` wrote."""

        def document(descriptor: dict[str, Any]) -> dict[str, Any]:
            path = place / "blobs/sha256" / descriptor["digest"].partition(":")[2]
            value: dict[str, Any] = json.loads(path.read_bytes())
            return value

        (named,) = json.loads((place / "index.json").read_text())["manifests"]
        (entry,) = document(named)["manifests"]
        manifest = document(entry)
        return entry, manifest, document(manifest["config"])
