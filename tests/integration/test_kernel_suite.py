"""The public suite for Jupyter kernels, and its schemas for what the front says in a kernel's place."""

import contextlib
import queue

import jupyter_kernel_test
import pytest
from jupyter_client.manager import KernelManager, start_new_kernel
from jupyter_kernel_test.msgspec_v5 import validate_message
from support.kernels import READY_S, site_of
from support.slurm import base_environment
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}


class OurKernel:
    """What the suite is to ask of a kernel that is started through the scheduler, one for each class."""

    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('oh', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}, {"text": "impor", "matches": {"import"}}]
    complete_code_samples = ["1", "print('hello')", "def f(x):\n    return x * 2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n    x * 2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('no')"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n * n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('a^2'))", "mime": "text/latex"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "search")  # IPython calls its own session 0 in a range
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    support_iopub_welcome = True

    @staticmethod
    def asked(fixture, site):
        """Return the request; ``fixture`` gets another fixture by its name."""
        return BARE

    @classmethod
    def setUpClass(cls):
        """Leave it to ``launched``, which has fixtures."""

    @classmethod
    def tearDownClass(cls):
        """As ``setUpClass``."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def launched(cls, request, slurm):
        with site_of(base_environment() | slurm.env) as cls.site:
            cls.kernel_name = cls.site.kernelspec("k", **cls.asked(request.getfixturevalue, cls.site))
            cls.begin()
            yield
            # A heartbeat that is stopped before its thread has begun takes sockets until there are none left.
            wait_until(cls.kc.hb_channel.is_beating, "the kernel's heart does not beat")
            cls.kc.stop_channels()
            cls.km.shutdown_kernel()
            cls.km.context.destroy(linger=0)

    @pytest.fixture(autouse=True)
    def inside(self, clean_environment, launched):
        with self.site.entered():
            yield

    @classmethod
    def begin(cls):
        cls.km, cls.kc = start_new_kernel(startup_timeout=READY_S, kernel_name=cls.kernel_name)
        cls.kc.execute_interactive("pass", timeout=READY_S)  # the suite counts every message: none of the waiting


class InTheImage:
    @staticmethod
    def asked(fixture, site):
        site.configure(store=fixture("image_policy").store)
        return {"image": fixture("kernel_image").reference, "engine": "charliecloud", "scheduler": "slurm"}


class TestBare(OurKernel, jupyter_kernel_test.KernelTests):
    pass


class TestImage(InTheImage, OurKernel, jupyter_kernel_test.KernelTests):
    pass


class TestWelcome(OurKernel, jupyter_kernel_test.IopubWelcomeTests):
    @classmethod
    def begin(cls):
        cls.km = KernelManager(kernel_name=cls.kernel_name)
        cls.km.start_kernel()
        cls.kc = cls.km.client()


def checked(get, enough=bool):
    """Take what comes on a channel until there is enough and it is quiet; hold it against the suite's schemas."""
    found = []
    with contextlib.suppress(queue.Empty):
        while True:
            message = get(timeout=0.25 if enough(found) else 15)
            if message["msg_type"] != "iopub_welcome" and message["content"].get("status") != "aborted":
                validate_message(message)  # it knows neither of the two, which ipykernel sends as well
            found.append(message)
    return found


REQUESTS = {
    "kernel_info": (),
    "complete": ("impo",),
    "inspect": ("zip",),
    "is_complete": ("1",),
    "history": (),
    "comm_info": (),
}


def idle_after(asked):
    """Whether a request's last status is among messages."""

    def enough(found):
        of_it = (m["content"] for m in found if m["parent_header"].get("msg_id") == asked)
        return any(content.get("execution_state") == "idle" for content in of_it)

    return enough


def shows(found):
    return any(m["msg_type"] == "display_data" for m in found)


def test_what_the_front_says_in_a_kernels_place_is_well_formed(full, start):
    client = start(**BARE).client
    for name, words in REQUESTS.items():
        asked = getattr(client, name)(*words)
        (reply,) = checked(client.get_shell_msg)
        validate_message(reply, f"{name}_reply", asked)
        heard = checked(client.get_iopub_msg, idle_after(asked))
        said = [m for m in heard if m["parent_header"].get("msg_id") == asked]
        assert [m["content"]["execution_state"] for m in said][:2] == ["busy", "idle"]


def test_what_the_front_says_of_waiting_and_interrupted_cells_is_well_formed(full, start):
    kernel = start(**BARE)
    client = kernel.client
    asked = [client.execute("1"), client.execute("2")]
    control = client.session.msg("interrupt_request", {})
    shown = checked(client.get_iopub_msg, shows)
    assert shows(shown)
    client.control_channel.send(control)
    (answer,) = checked(client.get_control_msg)
    validate_message(answer, "interrupt_reply", control["header"]["msg_id"])
    assert [m["parent_header"]["msg_id"] for m in checked(client.get_shell_msg, lambda found: len(found) > 1)] == asked
    heard = checked(client.get_iopub_msg, idle_after(asked[0]))
    said = [m for m in heard if m["parent_header"].get("msg_id") == asked[0]]
    assert [m["msg_type"] for m in said] == ["clear_output", "error", "status"]
    states = [m["content"]["execution_state"] for m in shown + said if m["msg_type"] == "status"]
    assert states[-1] == "idle"


def test_what_the_front_says_of_a_shutdown_is_well_formed(full, start):
    client = start(**BARE).client
    asked = client.shutdown()
    (answer,) = checked(client.get_control_msg)
    validate_message(answer, "shutdown_reply", asked)


def test_a_client_is_welcomed_once_and_not_for_the_agents_subscription(start):
    kernel = start(**BARE)
    assert kernel.value("1") == 1
    kernel.manager.restart_kernel()
    kernel.client.execute("2")
    assert [m["content"]["status"] for m in checked(kernel.client.get_shell_msg)][-1] == "ok"
    assert "iopub_welcome" not in [m["msg_type"] for m in checked(kernel.client.get_iopub_msg)]
