"""Checkpoints: code of the user's that runs in the kernel before its job ends; on a real Slurm."""

import subprocess
import time

import pytest

BARE = {"engine": "bare", "scheduler": "slurm"}
SAVE = "%hpcctr checkpoint {options} open({path!r}, 'a').write(f'{{step}} ')"


def until(met, *, seconds=60):
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def checkpoint(kernel):
    return kernel.launch.view.checkpoint or {}


def become(kernel, state):
    return until(lambda: checkpoint(kernel).get("state") == state and checkpoint(kernel))


def text(messages):
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")


def warn(kernel):
    """The signal that ``sbatch --signal`` asks for."""
    subprocess.run(["scancel", "--signal=USR1", "--batch", kernel.launch.job], check=True)


def test_a_loop_is_saved_in_its_midst_before_the_time_limit_and_goes_on(site, start):
    kernel, path = start(**BARE, time=1), site.cwd / "saved"
    content, shown = kernel.run("step = 0\n" + SAVE.format(options="--before 55s", path=str(path)))
    assert content["status"] == "ok"
    assert "55 s before the end of the job" in text(shown) or "runs now" in text(shown)
    loop = "import os, time\nwhile not os.path.exists({!r}):\n    step += 1; time.sleep(0.01)"
    content, _ = kernel.run(loop.format(str(path)))
    assert content["status"] == "ok", "the cell that was interrupted for it went on"
    assert int(path.read_text()) <= kernel.value("step"), "it saw the variables of that moment"
    done = become(kernel, "done")
    assert (done["error"], done["runs"]) == ("", None)
    _, shown = kernel.run("%hpcctr checkpoint")
    assert "has run at" in text(shown)
    assert "Checkpoint: done" in until(lambda: read_log(kernel, "Checkpoint: done"))


def read_log(kernel, wanted):
    with open(kernel.launch.plan.log_file, encoding="utf-8", errors="replace") as file:
        found = file.read()
    return found if wanted in found else ""


def test_an_idle_kernel_saves_when_its_end_is_moved_near(site, start):
    kernel, path = start(**BARE, time=60), site.cwd / "saved"
    kernel.run("step = 7\n" + SAVE.format(options="", path=str(path)))
    assert become(kernel, "registered")["before_s"] == 300
    limit = ["scontrol", "update", f"JobId={kernel.launch.job}", "TimeLimit=2"]
    subprocess.run(limit, check=True)
    kernel.launch._allocation.ask()  # else the server looks once a minute
    become(kernel, "done")
    assert path.read_text() == "7 "


def test_the_schedulers_signal_has_a_waiting_cell_saved_once(site, start):
    kernel, path = start(**BARE, time=60), site.cwd / "saved"
    kernel.run("step = 1\n" + SAVE.format(options="", path=str(path)))
    asked = kernel.begun("import subprocess; subprocess.run(['sleep', '3'])")
    warn(kernel)
    become(kernel, "done")
    warn(kernel)
    assert kernel.ended(asked)["status"] == "ok"
    assert kernel.value("1 + 1") == 2
    assert path.read_text() == "1 "


def test_a_checkpoint_that_fails_is_told_and_harms_nothing_else(start):
    kernel = start(**BARE, time=60)
    kernel.run("%%hpcctr checkpoint\nprint('saving')\n1 / 0")
    asked = kernel.client.execute("print('begun', flush=True)\nimport time\nfor _ in range(20): time.sleep(0.1)")
    shown = []
    until(lambda: shown.append(kernel.client.get_iopub_msg(timeout=60)) or "begun" in text(shown))
    warn(kernel)
    failed = become(kernel, "failed")
    assert failed["error"] == "ZeroDivisionError: division by zero"
    until(lambda: shown.append(kernel.client.get_iopub_msg(timeout=60)) or "failed" in text(shown))
    assert "saving" in text(shown)
    assert "1 / 0" in text(shown), "with the line at fault"
    assert all(m["parent_header"].get("msg_id") == asked for m in shown if m["msg_type"] == "stream")
    assert kernel.ended(asked)["status"] == "ok"
    assert read_log(kernel, "ZeroDivisionError")


def test_a_restart_forgets_the_checkpoint_and_what_is_to_be_restored(start):
    kernel = start(**BARE)
    kernel.run("%hpcctr restore print('again')")
    kernel.run("%hpcctr checkpoint pass")
    assert become(kernel, "registered")["restore"] == "print('again')"
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    until(lambda: kernel.launch.view.checkpoint is None)
    warn(kernel)
    assert kernel.value("1 + 1") == 2, "the signal harms nobody who has registered nothing"


@pytest.mark.image
def test_a_kernel_in_an_image_has_it_with_nothing_of_ours_installed(site, start, kernel_image, image_policy):
    site.configure(store=image_policy.store)
    kernel, path = start(image=kernel_image.reference, scheduler="slurm", time=60), site.cwd / "saved"
    content, shown = kernel.run(
        "from jupyter_hpcctr import checkpoint\nstep = 4\n@checkpoint\ndef save():\n"
        f"    open({str(path)!r}, 'a').write(f'{{step}} '); print('saved')"
    )
    assert content["status"] == "ok", content
    assert "The checkpoint save() runs at" in text(shown)
    asked = kernel.begun("import time; time.sleep(2)")
    warn(kernel)
    become(kernel, "done")
    assert kernel.ended(asked)["status"] == "ok"
    assert path.read_text() == "4 "
    assert "saved" in read_log(kernel, "Checkpoint: done")
