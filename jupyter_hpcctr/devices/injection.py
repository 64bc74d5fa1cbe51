"""What an engine without CDI, run by an ordinary user, does with edits: one directory of libraries in place of hooks.

Such an engine shows the node's ``/dev``, and can neither write into the image nor run ldconfig there. So every library
goes into one private directory of the container, with the links that the hooks would have made, and with the links that
ldconfig would have; that directory is then named by ``LD_LIBRARY_PATH``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from .edits import CdiMount, DeviceNode, Edits
from .elf import Elf, ElfError, newest_glibc, read_elf
from .hooks import Hooks, understand
from .rooted import outside, real

_GLIBC = frozenset({
    "libc.so.6", "libm.so.6", "libmvec.so.1", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libresolv.so.2",
    "libutil.so.1", "libanl.so.1", "libnsl.so.1", "libthread_db.so.1", "libBrokenLocale.so.1",
})  # fmt: skip
# What holds the image's own files, and files that every program reads.
_SYSTEM = frozenset({
    "/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/run", "/sbin", "/usr", "/var",
    "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/usr/share",
    "/usr/libexec", "/var/run",
    "/tmp", "/var/tmp",  # noqa: S108  (nothing is written there)
    "/etc/group", "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/nsswitch.conf", "/etc/passwd",
    "/etc/resolv.conf",
})  # fmt: skip
_KERNEL = ("/dev/", "/proc/", "/sys/")
_OWN_FILES = ("", "none", "bind")
# What a spec may not set: it would change every program of the container, or what the job says of itself.
_NOT_SET = frozenset({
    "BASH_ENV", "ENV", "GCONV_PATH", "GLIBC_TUNABLES", "HOME", "IFS", "LOGNAME", "PATH", "PYTHONHOME", "PYTHONPATH",
    "PYTHONSTARTUP", "SHELL", "TMPDIR", "USER",
})  # fmt: skip
_NOT_SET_BEGINS = ("LD_", "HPCCTR_", "JPY_", "PMI_", "PMIX_", "SLURM_")


@dataclass(frozen=True)
class Library:
    """A library for the private directory.

    Attributes
    ----------
    host_path : str
        The file on the node, which is no link.
    name : str
        Its name in the directory.
    links : tuple of str
        The names that point to it there.
    glibc : tuple of int
        The newest version of glibc that it wants.
    """

    host_path: str
    name: str
    links: tuple[str, ...] = ()
    glibc: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Injection:
    """What a container gets.

    Attributes
    ----------
    libraries : tuple of Library
        What is in the private directory; no name and no link is there twice.
    programs, files : tuple of (str, str)
        Programs, with path on the node and name; everything else that is shown, with path on the node and in the
        container.
    env : dict
        Variables.
    nodes : tuple of str
        The device files that must be there.
    glibc : tuple of int
        The newest version of glibc that any library wants, (0, 0) for none.
    library_wanting : str
        The name of that library.
    driver : str
        The version of NVIDIA's driver, from a hook or from libcuda's name.
    said : tuple of str
        A sentence for each thing that is left out.
    """

    libraries: tuple[Library, ...] = ()
    programs: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    glibc: tuple[int, int] = (0, 0)
    library_wanting: str = ""
    driver: str = ""
    said: tuple[str, ...] = ()


def inject(
    edits: Edits, root: str = "/", *, machine: str | None = None, groups: Collection[int] | None = None
) -> Injection:
    """Return what an engine that shows the node's ``/dev`` does in place of a spec's edits.

    Parameters
    ----------
    edits : Edits
        What ``Registry.edits`` returns.
    root : str
        The node's root directory.
    machine : str, optional
        The node's processor, as ``uname -m`` has it; libraries of others are left out. This node's if it is not given.
    groups : collection of int, optional
        The groups of the user; this process's if they are not given.
    """
    making = _Making(root, machine or os.uname().machine)
    for mount in edits.mounts:
        making.mount(mount)
    hooks = understand(edits.hooks)
    making.link(hooks)
    mine = os.getgroups() if groups is None else groups
    making.said += [f"you are not in the group {gid}, which the device wants" for gid in edits.gids if gid not in mine]
    making.said += [f"{name} needs an engine that reads CDI itself" for name in edits.others]
    env = dict(pair for pair in edits.env if making.may_set(*pair))
    nodes = tuple(dict.fromkeys(node.path for node in edits.nodes if making.may_show(node)))
    libraries = making.libraries()
    wanting = max(libraries, key=lambda each: each.glibc, default=Library("", ""))
    return Injection(
        libraries=libraries,
        programs=tuple((path, name) for name, path in making.programs.items()),
        files=tuple((source, target) for target, source in making.files.items()),
        env=env,
        nodes=nodes,
        glibc=wanting.glibc,
        library_wanting=wanting.name if wanting.glibc > (0, 0) else "",
        driver=hooks.driver or _driver(libraries),
        said=tuple(dict.fromkeys((*making.said, *hooks.said))),
    )


class _Making:
    """What is collected for one injection."""

    def __init__(self, root: str, machine: str):
        self._root, self._machine = root, machine
        self._files: dict[str, tuple[str, tuple[int, int]]] = {}  # of libraries, by name
        self._names: dict[str, str] = {}  # the file to which each name in the directory leads
        self.programs: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.said: list[str] = []

    def libraries(self) -> tuple[Library, ...]:
        links: dict[str, list[str]] = {}
        for link, name in self._names.items():
            if link != name:
                links.setdefault(name, []).append(link)
        return tuple(
            Library(path, name, tuple(links.get(name, ())), glibc) for name, (path, glibc) in self._files.items()
        )

    def mount(self, mount: CdiMount) -> None:
        target, source = mount.container_path, mount.host_path
        if mount.type not in _OWN_FILES:
            self.said.append(
                f"{target} is left out: a file system of the type {mount.type} needs an engine's own mount"
            )
            return
        if target.startswith("/dev/"):
            if source != target:
                self.said.append(f"{target} is left out: the container has the node's own /dev")
            return
        if target in _SYSTEM or f"{target}/".startswith(_KERNEL):
            self.said.append(f"{target} is left out: a device may not replace it in the container")
            return
        path = real(self._root, source)
        if path is None:
            self.said.append(f"{source} is left out: it is not on this node")
            return
        outer = outside(self._root, path)
        try:
            elf = read_elf(outer)
        except (OSError, ElfError) as error:
            self.said.append(f"{source} is left out: {_reason(error)}")
            return
        if elf is not None and ".so" in os.path.basename(target):
            self._library(outer, target, source, elf)
        elif elf is not None and os.access(outer, os.X_OK):
            self._program(outer, os.path.basename(target))
        else:
            self.files.setdefault(target, outer)

    def _library(self, path: str, target: str, source: str, elf: Elf) -> None:
        name = os.path.basename(path)
        if ".so" not in name:
            name = os.path.basename(target)
        names = dict.fromkeys((name, os.path.basename(target), *([_base(elf.soname)] if elf.soname else [])))
        if elf.machine != self._machine:
            self.said.append(f"{source} is left out: it is for {elf.machine}, and this node is {self._machine}")
        elif any(each in _GLIBC or each.startswith("ld-linux") for each in names):
            self.said.append(f"{source} is left out: the container has a C library of its own")
        elif name in self._files and self._files[name][0] != path:
            self.said.append(f"{source} is left out: {self._files[name][0]} has the same name")
        else:
            self._files[name] = path, newest_glibc(elf)
            for each in names:
                self._name(each, name)

    def _name(self, link: str, name: str) -> None:
        if link in self._files and link != name:
            self.said.append(f"{name} has no link {link}: that is another library")
        elif link == name:
            self._names[link] = name
        elif self._names.setdefault(link, name) != name:
            self.said.append(f"{name} has no link {link}: {self._names[link]} has it")

    def _program(self, path: str, name: str) -> None:
        if self.programs.setdefault(name, path) != path:
            self.said.append(f"{path} is left out: {self.programs[name]} has the same name")

    def link(self, hooks: Hooks) -> None:
        """Make the links that hooks ask for, also those to links that come later."""
        left = dict.fromkeys(hooks.links)
        while left:
            made = [pair for pair in left if _base(pair[0]) in self._names]
            if not made:
                break
            for target, link in made:
                del left[target, link]
                if ".so" in _base(link) and _base(link) not in _GLIBC and not _base(link).startswith("ld-linux"):
                    self._name(_base(link), self._names[_base(target)])
                else:
                    self.said.append(f"the link {link} is left out: that is no name of a device's library")
        for target, link in left:
            if not os.path.normpath(link).startswith("/dev/"):  # the node's own /dev has its links
                self.said.append(f"the link {link} is left out: no library of the device is named {_base(target)}")

    def may_set(self, name: str, value: str) -> bool:
        if name in _NOT_SET or name.startswith(_NOT_SET_BEGINS):
            self.said.append(f"{name} is left out: a device may not set this variable")
        elif not name.isidentifier() or not name.isascii() or "\n" in value or "\0" in value:
            self.said.append(f"{name} is left out: its name or value cannot be passed on")
        else:
            return True
        return False

    def may_show(self, node: DeviceNode) -> bool:
        if not node.path.startswith("/dev/"):
            self.said.append(f"{node.path} is left out: only device files below /dev are in the container")
        elif node.host_path != node.path and real(self._root, node.path) is None:
            self.said.append(f"{node.path} is left out: it is {node.host_path} on this node, and keeps that name")
        else:
            return True
        return False


def _driver(libraries: tuple[Library, ...]) -> str:
    names = (re.fullmatch(r"libcuda\.so\.(\d+\.\d+(?:\.\d+)?)", each.name) for each in libraries)
    return next((match[1] for match in names if match), "")


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
