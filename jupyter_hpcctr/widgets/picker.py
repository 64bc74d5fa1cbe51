"""The whole picker: an image, a form for the job, what would be submitted, and a button that asks before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from ..core.request import KernelRequest, parse
from ..edge.loop import in_own_thread
from ..errors import HpcctrError, RequestError
from ..launch import Hub
from ..launch.preview import Preview
from ..offers import gallery
from . import words
from .confirm import Confirmation
from .form import ResourceForm
from .home import Home
from .images import ImageList
from .kernel import Kernel
from .status import JobStatus


class ImagePicker(ipywidgets.VBox):  # type: ignore[misc]
    """Chooses an image and resources, and starts kernels of them.

    ``kernel`` is the kernel that was started last, by click or by ``start``, None before.

    Parameters
    ----------
    request : KernelRequest or mapping, optional
        What the picker begins with.
    hub : Hub, optional
        That of the site's policy if not given.

    Raises
    ------
    RequestError
        The mapping is not a request.
    """

    def __init__(self, request: KernelRequest | Mapping[str, object] | None = None, *, hub: Hub | None = None) -> None:
        home = self._home = Home(hub)
        given = parse(request) if isinstance(request, Mapping) else request
        self.kernel: Kernel | None = None
        self._number = 0  # of the question: an answer to an older one is none
        self.form = ResourceForm(given, home=home)
        first = given.image.text if given is not None and given.image is not None else None
        self.images = ImageList(first, self._image_changed, home=home)
        self.start_button = ipywidgets.Button(
            description="Start …", button_style="primary", tooltip="Shows what would be submitted, and asks"
        )
        self.confirmation = Confirmation(no="Back to the form")
        self.message, self.jobs = ipywidgets.HTML(), ipywidgets.VBox()
        children = [self.images, self.form, self.start_button, self.confirmation, self.message, self.jobs]
        super().__init__(children)
        self.form.choose_image(self.images.reference)
        self.form.listen(self._form_changed)
        self.start_button.on_click(lambda _button: self._ask())

    @property
    def request(self) -> KernelRequest:
        """What is asked for; raises ``RequestError``, which names the field, where it cannot be understood."""
        return self.form.request

    @request.setter
    def request(self, request: KernelRequest | Mapping[str, object]) -> None:
        asked = request if isinstance(request, KernelRequest) else parse(request)
        self.images.reference = None if asked.image is None else asked.image.text
        self.form.request = asked

    def preview(self) -> Preview:
        """Ask what would be submitted, and wait for it; raises ``RequestError``."""
        return self.form.preview()

    def start(self, *, cwd: str | None = None) -> Kernel:
        """Submit what is asked for, without a question, and return the kernel at once.

        Raises
        ------
        HpcctrError
            The request was refused; nothing is left behind.
        """
        return self._start(self.request, cwd)

    def _start(self, request: KernelRequest, cwd: str | None = None) -> Kernel:
        self.message.value = words.status("Submitting …")
        try:
            self.kernel = Kernel(request, cwd=cwd, home=self._home)
        except Exception as error:
            self.message.value = words.alert(words.problem(error))
            raise
        self.message.value = ""
        before = self.jobs.children
        self.jobs.children = [JobStatus(self.kernel, home=self._home), *(each for each in before if not each.is_over)]
        for status in before:
            if status.is_over:
                status.close()
        return self.kernel

    # -- what clicks do

    def _ask(self) -> None:
        """Show what would be submitted, and ask; nothing is asked while something is wrong."""
        self.confirmation.dismiss()
        try:
            request = self.request
        except RequestError as error:
            self.message.value = words.alert(words.problem(error))
            return
        self.message.value = words.status("Asking what would be submitted …")
        self._number += 1
        number = self._number

        def answered(found: tuple[Preview, Mapping[str, Any]]) -> None:
            if number == self._number:
                self._question(request, *found)

        def failed(error: BaseException) -> None:
            self.message.value = words.alert(words.problem(error))

        self._home.ask(self._looked_at(request), answered, failed)

    async def _looked_at(self, request: KernelRequest) -> tuple[Preview, Mapping[str, Any]]:
        """Return what would be submitted, and what the registry says of an image that is to be fetched."""
        hub = self._home.hub
        found = await hub.preview(request, cwd=self._home.directory)
        if found.image_here or request.image is None:
            return found, {}
        return found, await in_own_thread(gallery.check, hub.store, hub.policy, request.image)

    def _question(self, request: KernelRequest, found: Preview, image: Mapping[str, Any]) -> None:
        if found.problems:
            self.message.value = words.problems(found.problems)
            return
        if image.get("found") is False:
            self.message.value = words.no_image(image)
            return
        self.message.value = ""
        self.confirmation.ask(words.question(found), "Start now", lambda: self._start_clicked(request))

    def _start_clicked(self, request: KernelRequest) -> None:
        try:
            self._start(request)
        except HpcctrError:
            return  # is shown

    def _form_changed(self) -> None:
        """What is asked about is what was shown: after a change it has to be shown anew."""
        self._number += 1
        self.confirmation.dismiss()

    def _image_changed(self) -> None:
        if hasattr(self, "images"):
            self.form.choose_image(self.images.reference)
