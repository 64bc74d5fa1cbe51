"""The site's configuration: the administrator's choices, as traitlets, frozen once into a ``Policy``.

It is read from ``jupyter_hpcctr_config.py`` or ``.json`` in Jupyter's configuration directories and from the
section ``HpcctrSite`` of a server's own configuration. None of it can be set by a kernelspec: jupyter_client
hands a kernelspec's ``config`` to the provisioner's traits, so the provisioner has none that matter here.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import logging
import os
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from jupyter_core import paths
from traitlets import Bool, Dict, Enum, Float, Integer, List, TraitError, Unicode, validate
from traitlets.config import Config, Configurable
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from .core.facts import DROP_ENV, GPU_KINDS, INFINIBAND, PASS_ENV, CatalogueImage, Changed, Policy
from .core.questions import Endpoint
from .errors import ConfigurationError

log = logging.getLogger(__name__)

BASENAME = "jupyter_hpcctr_config"
_DEFAULT = Policy()
_MEND = "mend it in the site's configuration: jupyter --paths says where that is"


class HpcctrSite(Configurable):  # type: ignore[misc,unused-ignore]
    """What this site allows and prefers."""

    default_engine = Unicode("charliecloud", help="Engine for kernels with an image.").tag(config=True)
    default_scheduler = Unicode("slurm", help="Scheduler where none is asked for: 'slurm' or 'local'.").tag(config=True)
    plain_engine = Unicode("bare", help="Engine of kernels without an image.").tag(config=True)
    engines = List(Unicode(), ["charliecloud", "bare"], help="Engines that may be used.").tag(config=True)
    schedulers = List(Unicode(), ["slurm", "local"], help="Schedulers that may be used.").tag(config=True)
    image_patterns = List(
        Unicode(), [], help="Shell patterns of the image references that are allowed; empty allows all."
    ).tag(config=True)
    mount_sources = List(
        Unicode(), [], help="Directories at or below which users may mount; empty leaves it to their rights."
    ).tag(config=True)
    mount_home = Bool(True, help="Show the user's home directory in the container at its own path.").tag(config=True)
    mount_points = List(
        Unicode(), list(_DEFAULT.mount_points), help="Root directories that every flattened image gets, to mount below."
    ).tag(config=True)
    pass_env = List(Unicode(), list(PASS_ENV), help="Patterns of job variables that a kernel gets.").tag(config=True)
    drop_env = List(Unicode(), list(DROP_ENV), help="Patterns of those that it never gets.").tag(config=True)
    max_nodes = Integer(None, allow_none=True, help="Most nodes for one kernel; None for no limit.").tag(config=True)
    max_time_minutes = Integer(
        None, allow_none=True, help="Longest wall time in minutes; None leaves it to the scheduler."
    ).tag(config=True)
    image_store = Unicode("squash", help="Which image store there is, by its plug-in's name.").tag(config=True)
    store = Unicode(
        "",
        help="Image store, on a file system that nodes share. Default: in the XDG data directory.",
    ).tag(config=True)
    store_owners = List(
        Unicode(),
        [],
        help="Who may own and write the store's files besides the user and root: users, and groups as '@name'.",
    ).tag(config=True)
    state_dir = Unicode(
        "",
        help="Launches' private files, on a file system that nodes share. Default: in the XDG state directory.",
    ).tag(config=True)
    insecure_registries = List(
        Unicode(), list(_DEFAULT.insecure_registries), help="Registry hosts that are asked by plain http."
    ).tag(config=True)
    link_address = Unicode(
        "", help="Address of this host that nodes dial. Default: the one that faces the scheduler's controller."
    ).tag(config=True)
    node_tmp = Unicode(
        _DEFAULT.node_tmp, help="Directory on each node for sockets; short, because socket paths end at 107 bytes."
    ).tag(config=True)
    orphan_minutes = Integer(
        _DEFAULT.orphan_minutes,
        help="Minutes that a job lives on without its server while the kernel computes.",
        min=1,
    ).tag(config=True)
    orphan_idle_minutes = Integer(
        _DEFAULT.orphan_idle_minutes, help="The same while it does not, counted from its last cell's end.", min=1
    ).tag(config=True)
    at_stop = Enum(
        ("keep", "end"),
        _DEFAULT.at_stop,
        help="What becomes of kernels when a Jupyter server is stopped by a signal: the next server goes on with them "
        "('keep'), or their jobs end. Shutting down from JupyterLab ends them.",
    ).tag(config=True)
    keep_mb = Integer(
        _DEFAULT.keep_mb,
        help="MB of messages that server and job each keep in files for a kernel while the connection is down.",
        min=1,
    ).tag(config=True)
    journal_mb = Integer(
        _DEFAULT.journal_mb,
        help="MB of the newest output of a kernel's cells that are kept for pages that were away; 0 keeps none.",
        min=0,
    ).tag(config=True)
    checkpoint_minutes = Integer(
        _DEFAULT.checkpoint_minutes,
        help="Minutes before a job's end at which a kernel's checkpoint runs, where its user does not say.",
        min=1,
    ).tag(config=True)

    ranks_beyond_machine = Enum(
        ("reduce", "refuse"),
        "reduce",
        help="What to do with more MPI ranks than the machine has CPUs, where no scheduler has given a job its own.",
    ).tag(config=True)

    catalogue = List(
        Dict(),
        [],
        help="Images that are recommended, best first: dictionaries with 'reference' and, if wanted, 'title' and "
        "'description'.",
    ).tag(config=True)
    registries = List(Unicode(), [], help="Hosts (host[:port]) of the registries that are searched.").tag(config=True)
    prices = Dict(
        value_trait=Float(),
        key_trait=Unicode(),
        help="Price of one billing unit for one hour, by partition; '*' stands for all others.",
    ).tag(config=True)
    currency = Unicode("", help="What prices are in: 'EUR', 'credits'.").tag(config=True)
    endpoints = Dict(
        value_trait=Dict(),
        key_trait=Unicode(),
        help="Where HTTP services of schedulers are, by their names there: dictionaries with 'url' and, if wanted, "
        "'ca_file', 'token_file', 'cert_file' and 'key_file'. Files are read at each request.",
    ).tag(config=True)
    infiniband_features = List(
        Unicode(), list(INFINIBAND), help="Patterns of the node features that stand for a fast network."
    ).tag(config=True)
    gpu_kinds = List(
        Unicode(),
        list(GPU_KINDS),
        help="What GPUs are called in the nodes' descriptions of devices (CDI).",
    ).tag(config=True)
    cdi_dirs = List(
        Unicode(),
        [],
        help="Directories with descriptions of devices (CDI) on the nodes, beside /etc/cdi, /var/run/cdi and the "
        "user's ~/.config/cdi.",
    ).tag(config=True)
    one_off_days = Integer(14, min=0, help="Days that a kernelspec is kept that was made for one start.").tag(
        config=True
    )
    log_format = Enum(
        ("text", "json"),
        "text",
        help="How the server's log has the lines of this package: 'text' like its others, or 'json'.",
    ).tag(config=True)

    @validate("catalogue")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_catalogue(self, proposal: Any) -> Any:
        for each in proposal["value"]:
            unknown = set(each) - {"reference", "title", "description"}
            if "reference" not in each or unknown or not all(isinstance(text, str) for text in each.values()):
                raise TraitError(f"an image of the catalogue has 'reference', 'title' and 'description', not {each!r}")
        return proposal["value"]

    @validate("endpoints")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_endpoints(self, proposal: Any) -> Any:
        names = {each.name for each in fields(Endpoint)}
        for name, each in proposal["value"].items():
            is_text = all(isinstance(text, str) for text in each.values())
            if not is_text or set(each) - names or not each.get("url", "").startswith(("https://", "http://")):
                known = ", ".join(f"'{each}'" for each in sorted(names - {"url"}))
                raise TraitError(f"the endpoint {name!r} has a 'url' of http or https, and paths as {known}")
        return proposal["value"]

    def freeze(self) -> Policy:
        """Return the configuration as a value."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.trait_values(config=True).items()
        }
        values["catalogue"] = tuple(CatalogueImage(**each) for each in values["catalogue"])
        values["endpoints"] = tuple((name, Endpoint(**each)) for name, each in sorted(values["endpoints"].items()))
        values["prices"] = tuple(sorted(values["prices"].items()))
        home = Path.home()
        data = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
        state = os.environ.get("XDG_STATE_HOME") or str(home / ".local/state")
        values["store"] = values["store"] or f"{data}/jupyter_hpcctr/images"
        values["state_dir"] = values["state_dir"] or f"{state}/jupyter_hpcctr"
        return Policy(**values)


def load_policy(own: Config | None = None) -> Policy:
    """Read the site's configuration files, and let the administrator's win.

    The user's file comes first, the process's own configuration over it, and over both the files of
    Jupyter's environment and system directories (``jupyter --paths``), which the administrator writes.

    Parameters
    ----------
    own : Config, optional
        Configuration of the Jupyter application that this runs in; its section ``HpcctrSite`` is used.

    Raises
    ------
    ConfigurationError
        A file cannot be read, or a setting has no such value.
    """
    site = [*paths.ENV_CONFIG_PATH, *paths.SYSTEM_CONFIG_PATH]
    merged = Config()
    for directory in reversed(paths.jupyter_config_path()):
        if directory not in site:
            _read(directory, merged)
    if own is not None and "HpcctrSite" in own:
        merged.merge(Config({"HpcctrSite": own["HpcctrSite"]}))
    for directory in site:
        _read(directory, merged)
    try:
        return HpcctrSite(config=merged).freeze()
    except Exception as error:  # a section can be anything, not only a mapping of values that are wrong
        raise ConfigurationError(f"the site's configuration is wrong: {error}", hint=_MEND) from error


def files() -> tuple[Path, ...]:
    """Return where the site's configuration is read from, where there is a file."""
    directories = paths.jupyter_config_path()
    return tuple(Path(directory) / f"{BASENAME}.{name}" for directory in directories for name in ("json", "py"))


def _read(directory: str, merged: Config) -> None:
    for name, loader in (("json", JSONFileConfigLoader), ("py", PyFileConfigLoader)):
        try:
            merged.merge(loader(f"{BASENAME}.{name}", directory).load_config())
        except ConfigFileNotFound:
            continue
        except (Exception, SystemExit) as error:  # a Python file can raise anything
            said = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"{directory}/{BASENAME}.{name} cannot be read: {said}", hint=_MEND) from error


class Configuration:
    """The site's configuration as a process has read it once; ``policy`` stays as it was.

    Parameters
    ----------
    own : Config, optional
        As for ``load_policy``, which also says what is raised.
    """

    def __init__(self, own: Config | None = None) -> None:
        self._own = copy.deepcopy(own)
        self._lock = threading.Lock()
        self._files = files()
        self._began = self._seen = self._stamps()  # before they are read, so that no change goes unseen
        self.policy = load_policy(self._own)
        self._changed: Changed | None = None

    def changed(self) -> Changed | None:
        """Say whether the files are about another policy by now, and log it once. Looks at the files; any thread."""
        with self._lock:
            stamps = self._stamps()
            if stamps != self._seen:
                self._seen, before = stamps, self._changed
                self._changed = self._compared()
                if self._changed is not None:
                    log.warning("%s; this process goes on with what it read when it started", self._changed.message)
                elif before is not None:
                    log.info("the site's configuration is again as this process has read it")
            return self._changed

    def _stamps(self) -> dict[Path, tuple[int, ...]]:
        found: dict[Path, tuple[int, ...]] = {}
        for path in self._files:
            try:
                known = path.stat()
            except OSError:
                continue
            # With the time of the inode: a file that was moved here, or copied with its times, keeps an old one itself.
            found[path] = (known.st_ctime_ns, known.st_mtime_ns, known.st_size, known.st_ino)
        return found

    def _compared(self) -> Changed | None:
        written = [stamp[0] for path, stamp in self._seen.items() if stamp != self._began.get(path)]
        gone = self._began.keys() - self._seen.keys()
        at = time.time() if gone or not written else max(written) / 1e9
        when = datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
        try:
            policy = load_policy(self._own)
        except ConfigurationError as error:
            return Changed(at, f"the site's configuration has changed at {when}, and is broken: {error}")
        names = [each.name for each in dataclasses.fields(Policy)]
        differ = tuple(n for n in names if getattr(policy, n) != getattr(self.policy, n))
        if not differ:
            return None
        return Changed(at, f"the site's configuration has changed at {when}: {', '.join(differ)}", differ)
