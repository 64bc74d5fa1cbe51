"""Schedulers that are asked by HTTP and by calls to a worker; behind both, jobs of the local scheduler really run.

As an outside author would write them: a submission takes two questions, the second of which needs the first's answer.
"""

import json
import subprocess
import sys
from pathlib import Path

from jupyter_hpcctr.core.facts import Partition, Site
from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus
from jupyter_hpcctr.core.questions import Call, Endpoint, Request, Worker
from jupyter_hpcctr.core.seams import Scheduler
from jupyter_hpcctr.errors import RequestError, SchedulerError, SubmitRefused

BATCH = (sys.executable, "-m", "jupyter_hpcctr.downscale.localjobs")
WORKER = Path(__file__).with_name("far_worker.py")


def batch(words, job, env):
    """Ask the batch system behind both: its exit status, and what it says."""
    done = subprocess.run((*BATCH, *words), input=json.dumps(job), env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Far(Scheduler):
    """What both have in common: all but the questions."""

    def submit(self, spec):
        for text in (*spec.argv, spec.workdir, spec.log_file):
            if "\0" in text:
                raise RequestError("a word of the job holds a NUL", hint="leave it out")
        for path in (spec.workdir, spec.log_file):
            if not path.startswith("/"):
                raise RequestError(f"{path!r} is not an absolute path", hint="write it out from the root")
        asked = spec.resources
        job = {
            "argv": spec.argv, "name": spec.name, "token": spec.token, "workdir": spec.workdir,
            "log_file": spec.log_file, "nodes": asked.nodes, "cpus": asked.cpus_per_task, "gpus": asked.gpus_per_node,
            "mem_mb": asked.mem_mb, "partition": None if asked.partition in (None, "far") else asked.partition,
            "time_limit_s": None if asked.time_minutes is None else asked.time_minutes * 60,
        }  # fmt: skip
        place = yield self.asks("reserve", outline=json.dumps(job, indent=1))
        answer = yield self.asks("submit", job={**job, "place": self.said(place)["place"]})
        said = self.said(answer)
        if "refused" in said:
            raise SubmitRefused(said["refused"], hint=said["hint"])
        return JobId(said["id"])

    def find(self, tokens):
        answer = yield self.asks("find", words=list(tokens))
        return {job["token"]: JobId(job["id"]) for job in self.said(answer)}

    def query(self, jobs):
        answer = yield self.asks("query", words=list(jobs))
        return {JobId(job["id"]): status(job) for job in self.said(answer)}

    def settle(self, job):
        found = yield from self.query([job])
        return found.get(job, JobStatus(job, JobState.UNKNOWN))

    def signal(self, job, signum):
        self.said((yield self.asks("signal", words=[job, str(int(signum))])))

    def cancel(self, jobs):
        self.said((yield self.asks("cancel", words=list(jobs))))

    def site(self, *, user=""):
        (answer,) = self.said((yield self.asks("site")))
        cpus, memory = answer["cpus"], answer["memory_mb"]
        queues = Partition("far", True, nodes_total=1, nodes_idle=1, cpus_per_node=cpus, mem_mb_per_node=memory)
        return Site(self.name, partitions=(queues, Partition("other", nodes_total=1)))


def status(job):
    return JobStatus(
        job_id=JobId(job["id"]), state=JobState[job["state"]], reason=job["reason"], nodes="localhost",
        end_time=job["end_time"], ending=Ending(job["ending"]) if job["ending"] else None,
        exit_code=job["exit_code"], signal=job["signal"],
    )  # fmt: skip


class Web(Far):
    """Asked by HTTP."""

    name = "web"
    keep_env = ("FAR_*",)
    services = {"batch": Endpoint("${FAR_URL}", ca_file="${FAR_CA}", token_file="${FAR_TOKEN_FILE}")}

    def asks(self, what, *, outline="", **body):
        return Request("batch", "POST", f"/v1/{what}", body=json.dumps(body), outline=outline)

    def said(self, response):
        if response.status != 200:
            raise SchedulerError(f"{response.status}: {response.body}", hint="ask its administrator")
        return response.json()


class Called(Far):
    """Asked by calls to a worker."""

    name = "called"
    keep_env = ("FAR_*", "HPCCTR_LOCAL_JOBS")
    services = {"batch": Worker((sys.executable, "${FAR_WORKER}"))}

    def asks(self, what, *, outline="", **params):
        return Call("batch", what, params, outline=outline)

    def said(self, result):
        if result.error:
            raise SchedulerError(result.error, hint="ask its administrator")
        return result.value


def answered(what, asked, env, places):
    """What server and worker answer to a question: a value, or an error's text."""
    if what == "reserve":
        places.append(len(places))
        return {"place": places[-1]}, ""
    job = dict(asked.get("job", {}))
    if what == "submit" and job.pop("place") not in places:
        return None, "no such place"
    code, out, err = batch([what, *asked.get("words", ())], job, env)
    if what == "submit" and code == 2:
        return json.loads(out), ""
    if code:
        return None, err.strip() or f"exit status {code}"
    found = [json.loads(line) for line in out.splitlines()]
    return (found[0] if what == "submit" else found), ""
