"""``%%mpirun`` where no scheduler starts ranks: in Jupyter's own kernels, and in images on this machine."""

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from support.notebooks import Notebook

LOAD = "%load_ext jupyter_hpcctr"


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Execute cells in a plain kernel; return each cell's text on (standard output, standard error)."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(*cells):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        options = {"timeout": 100, "resources": {"metadata": {"path": str(tmp_path)}}, "allow_errors": True}
        NotebookClient(notebook, kernel_name="python3", kernel_manager_class=KernelManager, **options).execute()
        return [tuple(text(cell, name) for name in ("stdout", "stderr")) for cell in notebook.cells]

    return run


def text(cell, name):
    return "".join(output.text for output in cell.outputs if output.get("name") == name)


def test_ranks_without_mpi_are_told_of_before_the_first_cells_output(play, monkeypatch, tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ImportError('there is no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = "%%mpirun -n 2 --oversubscribe\nprint('alone')"
    _, first, second, start = play(LOAD, cell, cell, "%mpirun start")
    assert first == (
        "ranks 0–1 │ alone\n",
        "the ranks run without MPI, each for itself: mpi4py finds no MPI library that it can use: "
        "there is no such library\n",
    )
    assert second == ("ranks 0–1 │ alone\n", "")
    assert "the ranks run without MPI, each for itself" in start[0]


def test_a_traceback_names_the_cell_by_the_number_that_the_notebook_shows(play, monkeypatch):
    monkeypatch.setenv("MPI4PY_MPIABI", "openmpi")
    failed = play(LOAD, "1", "%%mpirun -n 2 --oversubscribe\nif get_ipython():\n    undefined")[2][1]
    assert "In[3]" in failed, failed


@pytest.mark.parametrize(
    ("image", "launched"),
    [("mpi_image", "Open MPI 4.1.4 by the image's mpiexec"), ("mpich_image", "MPICH 4.0.2 by the image's mpiexec")],
)
def test_without_a_scheduler_an_images_own_mpiexec_starts_ranks_in_it(
    site, start, request, image_policy, image, launched
):
    site.configure(store=image_policy.store)
    reference = request.getfixturevalue(image).reference
    notebook = Notebook(start(image=reference, scheduler="local"))
    code = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\nimport platform\n"
    where = "print(comm.allreduce(1), platform.freedesktop_os_release()['ID'])"
    assert notebook.said(code + where, "-n 2 --oversubscribe") == {0: ["2 debian"], 1: ["2 debian"]}
    assert launched in notebook.cell("%mpirun status")
    error, _ = notebook.fails("if comm.rank == 1:\n    1 / 0\ncomm.Barrier()")
    assert "rank 1 of 2 failed with ZeroDivisionError" in error
    assert notebook.said(code + where) == {0: ["2 debian"], 1: ["2 debian"]}
    assert notebook.ranks("echo $HPCCTR_RANK", "--exec -n 1 --quiet") == ""
