"""The form for a job's resources: what the site has, what is wrong beside the field, and what would be submitted."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from ..core.facts import Changed, Site
from ..core.limits import Problem
from ..core.request import KernelRequest, parse, to_dict
from ..edge.loop import in_thread
from ..errors import HpcctrError, RequestError
from ..launch.preview import Preview
from ..offers import form as site_form
from ..offers.shown import shown
from ..offers.words import form_words
from . import words
from .fields import STYLE, WIDTH, Field
from .home import Home

PATIENCE_S = 3.0  # for the scheduler, when the form is made; later it fills itself
SETTLED_S = 0.4  # without another change before it is asked what would be submitted
Listener = Callable[[], object]


class ResourceForm(ipywidgets.VBox):  # type: ignore[misc]
    """What a kernel's job is to have; ``request`` is the answer.

    Parameters
    ----------
    request : KernelRequest or mapping, optional
        What the form begins with. What it has no field for (image, engine, mounts, env, …) stays in the request.
    home : Home, optional
        That of the widgets around it.

    Raises
    ------
    RequestError
        The mapping is not a request.
    """

    def __init__(
        self, request: KernelRequest | Mapping[str, object] | None = None, *, home: Home | None = None
    ) -> None:
        self._home = home or Home()
        self._policy = self._home.hub.policy
        self.site: Site | None = None
        self.fields: dict[str, Field] = {}
        self.found: Preview | None = None
        self._base: dict[str, object] = {}
        self._form: dict[str, Any] = {}
        self._listeners: list[Listener] = []
        self._trouble: tuple[Problem, ...] = ()
        self._touched = self._quiet = False
        self._number = 0
        self._unplan: Callable[[], None] = lambda: None
        self.scheduler = ipywidgets.Dropdown(
            description="Scheduler",
            options=self._policy.schedulers,
            value=self._policy.default_scheduler,
            style=STYLE,
            layout={"width": WIDTH},
        )
        self._simple, self._more = ipywidgets.VBox(), ipywidgets.VBox()
        self._advanced = ipywidgets.Accordion([self._more])
        self._advanced.set_title(0, "Advanced")
        self.notice, self.message, self.what = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self.notice, self.scheduler, self._simple, self._advanced, self.message, self.what])
        self.scheduler.observe(lambda _change: self._other_scheduler(), "value")
        self._begin(request)

    def _begin(self, request: KernelRequest | Mapping[str, object] | None) -> None:
        given = {} if request is None else _raw(request)
        name = str(given.get("scheduler") or self._policy.default_scheduler)
        if name not in self.scheduler.options:
            self.scheduler.options = (*self.scheduler.options, name)
        self._touched, self._quiet = request is not None, True
        self.scheduler.value, self._quiet = name, False
        self._build(Site(name), given)
        self._home.wait(self._ask_site(), PATIENCE_S)

    # -- for the user's own code

    @property
    def value(self) -> dict[str, object]:
        """The request as it is written in a kernelspec, however wrong it may be."""
        filled = {name: value for name, field in self.fields.items() if (value := field.value) is not None}
        return {**self._base, "scheduler": self.scheduler.value, **filled}

    @property
    def request(self) -> KernelRequest:
        """What is asked for; raises ``RequestError``, which names the field, where it cannot be understood."""
        return parse(self.value)

    @request.setter
    def request(self, request: KernelRequest | Mapping[str, object]) -> None:
        self._begin(request)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is known to be wrong with it, by field."""
        try:
            self.request  # noqa: B018  (whether it can be read)
        except RequestError as error:
            return (Problem(error.field, error.message, error.hint),)
        found = (*self._trouble, *(self.found.problems if self.found is not None else ()))
        return tuple({(each.message, each.hint): each for each in found}.values())  # each once, whoever says it

    def preview(self) -> Preview:
        """Ask what would be submitted, and wait for it; raises ``RequestError``."""
        found = self._home.call(self._home.hub.preview(self.request, cwd=self._home.directory))
        self._previewed(found)
        return found

    def put(self, **values: object) -> None:
        """Set fields by their names in a request, ``put(nodes=2, time="1:00:00")``; None leaves one to the site."""
        for name, value in values.items():
            if name in self.fields:
                self.fields[name].put(value)
            else:
                self._base = {key: each for key, each in self._base.items() if key != name}
                self._base |= {} if value is None else {name: value}
        self._edited()

    def choose_image(self, reference: str | None) -> None:
        """Set the image of the request, None for none."""
        self._base = {name: value for name, value in self._base.items() if name != "image"}
        self._base |= {} if reference is None else {"image": reference}
        self.changed()

    def listen(self, listener: Listener) -> None:
        """Have a function called when the form has changed."""
        self._listeners.append(listener)

    # -- the site

    def _other_scheduler(self) -> None:
        if not self._quiet:
            self._touched = False
            self._build(Site(str(self.scheduler.value)), self._others(self.value))
            self._ask_site()

    def _ask_site(self) -> concurrent.futures.Future[tuple[Site, Changed | None]]:
        name, hub = str(self.scheduler.value), self._home.hub
        self.message.value = words.status(f"Asking {name} what there is …")

        async def ask() -> tuple[Site, Changed | None]:
            return await hub.site(name), await in_thread(hub.changed)

        def arrived(answer: tuple[Site, Changed | None]) -> None:
            site, changed = answer
            self.notice.value = "" if changed is None else words.changed(changed)
            if name != self.scheduler.value:
                return
            usual = site_form.defaults(site, self._policy)
            self.site = site
            self._build(site, self.value if self._touched else self._others(self.value) | usual)
            self.changed()

        def failed(error: BaseException) -> None:
            self._trouble = (problem_of(error),)
            self._say(self.problems)

        return self._home.ask(ask(), arrived, failed)

    def _build(self, site: Site, values: Mapping[str, object]) -> None:
        """Make the fields for a site, and put values into them; those that have no field stay in the request."""
        self._trouble = ()
        made = self._form = site_form.form(site, self._policy)
        properties = {name: each for name, each in made["schema"]["properties"].items() if name != "scheduler"}
        self.fields = {name: Field(name, each, self._edited) for name, each in properties.items()}
        for name, field in self.fields.items():
            field.put(values.get(name))
        self._base = {key: each for key, each in values.items() if key not in self.fields and key != "scheduler"}
        first, *others = [group["fields"] for group in made["ui"]["groups"]]
        self._simple.children = [self.fields[name] for name in first if name in self.fields]
        self._more.children = [self.fields[name] for names in others for name in names if name in self.fields]
        self._advanced.layout.display = None if self._more.children else "none"
        self._narrow()

    def _narrow(self) -> None:
        """Show each field as it is for what is chosen in the others."""
        fields = shown(self._form["schema"], self.value)
        for name, field in self.fields.items():
            field.show(fields.get(name))

    @staticmethod
    def _others(values: Mapping[str, object]) -> dict[str, object]:
        """Return what is no resource."""
        return {name: value for name, value in values.items() if name not in site_form.NAMES}

    # -- what would be submitted

    def _edited(self) -> None:
        self._touched = True
        self.changed()

    def changed(self) -> None:
        """Tell who listens, and ask, when nothing changes any more, what would be submitted."""
        self._number += 1
        self.found = None
        self._narrow()
        for listener in tuple(self._listeners):
            listener()
        self._say(self.problems)
        self._unplan()
        self._unplan = self._home.later(SETTLED_S, self._look)

    def _look(self) -> None:
        number = self._number
        try:
            request = self.request
        except RequestError:
            return
        self._home.ask(
            self._home.hub.preview(request, cwd=self._home.directory),
            lambda found: self._previewed(found) if number == self._number else None,
            lambda error: self._failed(error) if number == self._number else None,
        )

    def _previewed(self, found: Preview) -> None:
        self.found = found
        self.what.value = words.preview(found)
        self._say(self.problems)

    def _failed(self, error: BaseException) -> None:
        self._say((problem_of(error),))

    def _say(self, found: tuple[Problem, ...]) -> None:
        """Show each problem beside its field, and what belongs to none below them all."""
        for name, field in self.fields.items():
            field.say(tuple(each for each in found if each.field == name))
        others = tuple(each for each in found if each.field not in self.fields)
        self.message.value = words.problems(others)


def problem_of(error: BaseException) -> Problem:
    """Return an error as a problem of the field that it names."""
    if isinstance(error, HpcctrError):
        return Problem(error.field, error.message, error.hint)
    return Problem("", words.problem(error))


def _raw(request: KernelRequest | Mapping[str, object]) -> dict[str, Any]:
    return form_words(to_dict(request if isinstance(request, KernelRequest) else parse(request)))
