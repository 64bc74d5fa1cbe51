"""``%%mpirun`` in kernels that nobody launched for us: Jupyter's own, on this machine."""

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

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
