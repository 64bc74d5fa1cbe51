"""Widgets: comms in both directions, with a kernel of the product between them."""

import pytest

VIEW = "application/vnd.jupyter.widget-view+json"
SHOW = """
import ipywidgets
slider = ipywidgets.IntSlider(value=3)
seen = []
@slider.observe
def moved(change):
    if change["name"] == "value":
        seen.append([change["old"], change["new"]])
        print("moved to", change["new"])
slider
"""


@pytest.fixture(params=["bare", "image"])
def kernel(request, site, start):
    """A kernel with ipywidgets, of the node or in an image."""
    if request.param == "bare":
        return start(engine="bare", scheduler="slurm")
    site.configure(store=request.getfixturevalue("image_policy").store)
    return start(image=request.getfixturevalue("kernel_image").reference, engine="charliecloud", scheduler="slurm")


def shown(kernel):
    """Show the slider; return its model's id, and those of the comms that were opened for it."""
    content, published = kernel.run(SHOW)
    assert content["status"] == "ok", content
    opened = {m["content"]["comm_id"]: m["content"]["data"]["state"] for m in published if m["msg_type"] == "comm_open"}
    (view,) = (m["content"]["data"][VIEW] for m in published if VIEW in m["content"].get("data", {}))
    return view["model_id"], opened


def moved_to(kernel, model, value):
    """Move the slider as a front end does; return what is published for that until the kernel is idle again."""
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    update = kernel.client.session.msg("comm_msg", {"comm_id": model, "data": data})
    kernel.client.shell_channel.send(update)
    published = []
    while not (published and published[-1]["content"].get("execution_state") == "idle"):
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == update["header"]["msg_id"]:
            published.append(message)
    return published


def test_a_slider_is_shown_and_what_the_page_does_to_it_reaches_the_kernel(kernel):
    model, opened = shown(kernel)
    assert opened[model]["_model_name"] == "IntSliderModel"
    assert opened[model]["value"] == 3
    assert len(opened) == 3, "the slider, its layout and its style"
    published = moved_to(kernel, model, 7)
    assert "".join(m["content"]["text"] for m in published if m["msg_type"] == "stream") == "moved to 7\n"
    assert kernel.value("[slider.value, seen]") == [7, [[3, 7]]]


def test_what_the_kernel_does_to_a_slider_reaches_the_page(kernel):
    model, _ = shown(kernel)
    _, published = kernel.run("slider.value = 9")
    updates = [m["content"] for m in published if m["msg_type"] == "comm_msg"]
    assert [(u["comm_id"], u["data"]["state"]) for u in updates] == [(model, {"value": 9})]
    asked = kernel.client.comm_info()
    while (reply := kernel.client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != asked:
        pass
    assert model in reply["content"]["comms"]
    kernel.run("slider.close()")
    assert kernel.value("slider.comm is None")
