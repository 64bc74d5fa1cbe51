"""What every scheduler must do (``jupyter_hpcctr.testing``), over both of ours; and what we know of them."""

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.errors import SubmitRefused
from jupyter_hpcctr.testing import SchedulerContract


class OfOurs(SchedulerContract):
    """Both know this machine as one partition."""

    def test_the_site_is_one_partition(self, jobs):
        (partition,) = jobs.run(jobs.scheduler.site()).partitions
        assert partition.is_default and partition.is_up
        assert partition.cpus_per_node >= 1 and partition.mem_mb_per_node >= 1

    @pytest.mark.parametrize(
        ("resources", "word"), [({"partition": "nowhere"}, "partition"), ({"mem_mb": 900_000_000}, "emory")]
    )
    def test_a_refusal_says_what_is_too_much(self, jobs, place, resources, word):
        with pytest.raises(SubmitRefused) as refusal:
            jobs.submit(["true"], place, **resources)
        assert word in refusal.value.message


class TestLocal(OfOurs):
    scheduler = plugins.scheduler("local")

    @pytest.fixture
    def jobs(self, local_jobs):
        return local_jobs

    @pytest.fixture
    def place(self, tmp_path):
        (tmp_path / "place").mkdir()
        return tmp_path / "place"

    @pytest.fixture
    def unreachable(self, tmp_path):
        (tmp_path / "nowhere").mkdir(mode=0o755)  # records have to be private
        return {"HPCCTR_LOCAL_JOBS": str(tmp_path / "nowhere")}

    def test_no_job_waits_so_that_nothing_is_estimated(self, jobs, place):
        assert jobs.scheduler.estimate(jobs.spec(["true"], place)) is None


class TestSlurm(OfOurs):
    scheduler = plugins.scheduler("slurm")

    @pytest.fixture
    def jobs(self, slurm_jobs):
        return slurm_jobs

    @pytest.fixture
    def unreachable(self, slurm, tmp_path_factory):
        conf = slurm.conf.read_text()
        port = next(line for line in conf.splitlines() if line.startswith("SlurmctldPort="))
        nowhere = tmp_path_factory.mktemp("nowhere") / "slurm.conf"
        nowhere.write_text(conf.replace(port, "SlurmctldPort=1\nMessageTimeout=2"))
        return {"SLURM_CONF": str(nowhere)}

    def test_an_estimate_names_time_and_nodes(self, jobs, place):
        estimate = jobs.run(jobs.scheduler.estimate(jobs.spec(["true"], place)))
        assert estimate.start and estimate.nodes

    @pytest.mark.parametrize(
        ("impossible", "field"),
        [({"nodes": 99}, ""), ({"partition": "nowhere"}, "partition"), ({"constraint": "nowhere"}, "constraint")],
    )
    def test_an_estimate_of_what_can_never_be_is_a_refusal(self, jobs, place, impossible, field):
        with pytest.raises(SubmitRefused) as refusal:
            jobs.run(jobs.scheduler.estimate(jobs.spec(["true"], place, **impossible)))
        assert refusal.value.field == field and refusal.value.hint and "error:" not in refusal.value.message
