"""Schedulers that are asked by HTTP and by calls to a worker keep the contract; behind them, jobs really run."""

import dataclasses

import pytest
from support.far import WORKER, Called, Web
from support.far_server import serving

from jupyter_hpcctr.core.questions import opening
from jupyter_hpcctr.testing import Jobs, SchedulerContract


class Hasty(Jobs):
    """Brings the end of a job near by its submission."""

    def hastened(self, question):
        name = "body" if hasattr(question, "body") else "params"
        return dataclasses.replace(question, **{name: self.shorter(getattr(question, name))})

    def shorter(self, asked):
        if isinstance(asked, str):
            return asked.replace('"time_limit_s": 60', '"time_limit_s": 1')
        return {**asked, "job": {**asked["job"], "time_limit_s": 1}} if "job" in asked else asked


class OfBoth(SchedulerContract):
    driver = Hasty

    @pytest.fixture
    def place(self, tmp_path):
        (tmp_path / "place").mkdir()
        return tmp_path / "place"

    def test_what_is_shown_is_the_job_although_the_first_question_is_another(self, jobs, place):
        first = opening(jobs.scheduler.submit(jobs.spec(["echo", "here"], place)))
        assert '"echo"' in first.carried and "reserve" in first.shown
        assert "echo" not in str(getattr(first, "body", "") or first.params)


class TestWeb(OfBoth):
    scheduler = Web()

    @pytest.fixture
    def variables(self, tmp_path):
        with serving(tmp_path) as server:
            yield server.variables

    @pytest.fixture
    def unreachable(self, variables):
        return {**variables, "FAR_URL": "https://127.0.0.1:1"}


class TestCalled(OfBoth):
    scheduler = Called()

    @pytest.fixture
    def variables(self, tmp_path):
        return {"FAR_WORKER": str(WORKER), "HPCCTR_LOCAL_JOBS": str(tmp_path / "records")}

    @pytest.fixture
    def unreachable(self, variables):
        return {"FAR_WORKER": "/nowhere/worker.py"}
