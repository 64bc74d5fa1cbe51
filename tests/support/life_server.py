"""A Jupyter server with a launch's life in it, in the world of ``life_world``: it carries out what the machine says."""

from jupyter_hpcctr.core.life import Life, advance, effects
from jupyter_hpcctr.core.life.state import kept


class Server:
    """A Jupyter server with the machine in it."""

    def __init__(self, world):
        self.world, self.life = world, Life()
        self.asked, self.news, self.admitted, self.followed, self.silent = [], [], set(), {}, set()
        self.phase, self.held, self.running, self.open = "waiting", [], [], False

    def tell(self, event):
        """Advance, and carry out what follows."""
        owned = self.world.owner is self
        self.life, done = advance(self.life, event)
        for each in done:
            self._do(each, owned)

    def _do(self, each, owned):
        world, kind = self.world, type(each).__name__
        assert owned or not isinstance(each, effects.OnJob), f"{each} by a server that does not own the launch"
        if kind == "Remember":
            world.record = kept(self.life)
        elif kind == "Forget":
            world.record = world.owner = None
        elif kind in ("Fetch", "Submit", "Seek", "CancelJob"):
            self.asked.append((kind, each.job))
            if kind in ("Submit", "Seek"):
                self.admitted.add(each.job)
            if kind == "Submit":
                world.on_its_way.append(each.job)
        elif kind == "Follow":
            self.admitted.add(each.job)
            self.followed[each.job] = None
        elif kind in ("Discard", "Release"):
            self.admitted.discard(each.job)
            self.followed.pop(each.job, None)
        elif kind == "TellAgent" and each.job in world.jobs:
            world.jobs[each.job].to_agent.append((each.command, each.value))
        self._front(kind)

    def _front(self, kind):
        if kind == "FrontOpen":
            self.open = True
        if kind in ("FrontHold", "FrontWait"):
            self.phase = "waiting"
        if kind in ("FrontWait", "FrontFail", "FrontEnd"):
            self._finish(self.running)
        if kind in ("FrontFail", "FrontEnd", "FrontAbort"):
            self._finish(self.held)
        if kind == "FrontEnd":
            self.phase = "ended"
        if kind == "FrontReady":
            self.phase, held, self.held[:] = "ready", list(self.held), []
            for cell in held:
                self.forward(cell)
        if kind == "FrontClose":
            assert self.held == [], "cells are lost with the front"
            self.open = False

    def _finish(self, cells):
        self.world.finished.update(cells)
        cells.clear()

    def cell(self, cell):
        """A client sends a cell."""
        if self.phase == "ended":
            self.world.finished.add(cell)
        elif self.phase == "waiting":
            self.held.append(cell)
        else:
            self.forward(cell)

    def forward(self, cell):
        self.running.append(cell)
        if self.life.job is not None:
            self.world.jobs[self.life.job.number].to_agent.append(("cell", cell))

    def reply(self, cell):
        self.world.finished.add(cell)
        if cell in self.running:
            self.running.remove(cell)
