"""An image that is fetched before any kernel needs it, and the words that are copied from the form."""

from support.small_images import make, plain

__all__ = ["make"]  # a fixture


def test_an_image_is_fetched_ahead(desk, context, lab, make):
    reference = make(plain)
    desk.command("hpcctr:new")
    form = desk.picker()
    form.get_by_label("Search images").fill(reference)
    image = form.get_by_role("option", name=reference)
    image.click()
    form.get_by_role("button", name="Fetch to the cluster").click()
    image.get_by_text("already on the cluster").wait_for()
    form.get_by_role("button", name="Fetch to the cluster").wait_for(state="detached")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    form.get_by_role("button", name="Copy as command").click()
    copied = "navigator.clipboard.readText().then(text => text.includes('kernelspec add') ? text : null)"
    command = desk.page.wait_for_function(copied).json_value()
    assert f"--image {reference}" in command
