"""The pure middle: what is asked and what is known become a plan, with the reasons."""

import dataclasses
import json

import pytest
from support.plans import FACTS, HOST, IMAGE, drawn
from support.policies import site_policy

from jupyter_hpcctr.core.facts import Facts
from jupyter_hpcctr.core.plan import stage, to_json
from jupyter_hpcctr.core.quote import job_script, line
from jupyter_hpcctr.core.resolve import plain
from jupyter_hpcctr.errors import ImageError, PolicyError, RequestError
from jupyter_hpcctr.guest.environment import compose
from jupyter_hpcctr.protocol.container import Mount


def test_a_plan_for_an_image_starts_a_container_and_enters_it():
    made, container = drawn({"image": "r/n:1", "mounts": ["/scratch/p"]})
    boot = ("python3", "/hpcctr/guest/boot.py", "charliecloud", "/hpcctr/run/connection.json")
    assert (made.kernel, made.enter) == (boot, ("enter", "@HOLDER_PID@", *boot))
    assert made.start == ("start", *made.ranks.holder)
    assert made.ranks.holder[-1] == "/hpcctr/guest/holder.py"
    assert container.mounts == (
        Mount("/tmp/hpcctr-1001-1/guest", "/hpcctr/guest"),
        Mount("/tmp/hpcctr-1001-1/kernel", "/hpcctr/run"),
        Mount("/tmp/hpcctr-1001-1/stage/home", "/home"),
        Mount("/tmp/hpcctr-1001-1/stage/scratch", "/scratch"),
        Mount("/home/alice", "/home/alice"),
        Mount("/scratch/p", "/scratch/p"),
    )
    assert made.env == {"PATH": "/usr/bin", "HOME": "/home/alice", "USER": "alice", "LOGNAME": "alice"}
    assert made.reasons == ()


def test_a_start_up_cache_is_named_by_the_digest_where_the_container_can_see_it():
    made, _ = drawn({"image": "r/n:1"}, policy=site_policy(state_dir="/home/alice/state"))
    assert made.env["HPCCTR_STARTUP_CACHE"] == "/home/alice/state/startup/sha256-1-python3"
    made, _ = drawn({"image": "r/n:1"}, policy=site_policy(state_dir="/elsewhere"))
    assert "HPCCTR_STARTUP_CACHE" not in made.env


def test_the_same_input_gives_the_same_plan_and_it_can_be_written_down():
    first, _ = drawn({"image": "r/n:1"})
    second, _ = drawn({"image": "r/n:1"})
    assert first == second
    assert json.loads(to_json(first))["image"]["digest"] == "sha256:1"


def test_without_an_image_the_kernel_is_the_servers_own_python():
    made, container = drawn({"scheduler": "local"}, Facts(HOST))
    assert (made.engine, made.start, container.kind) == ("bare", (), "none")
    assert made.enter == ("start", *made.kernel)
    assert made.kernel == (
        "/opt/venv/bin/python", "/tmp/hpcctr-1001-1/guest/boot.py", "", "/tmp/hpcctr-1001-1/kernel/connection.json",
    )  # fmt: skip


def test_a_kernels_own_command_gets_the_connection_file():
    made, _ = drawn({"image": "r/n:1", "argv": ["R", "-f", "{connection_file}"]})
    assert made.kernel[-3:] == ("R", "-f", "/hpcctr/run/connection.json")


@pytest.mark.parametrize(
    ("raw", "policy", "facts", "error", "word"),
    [
        ({"image": "r/n:1"}, site_policy(), Facts(HOST), ImageError, "images pull r/n:1"),
        ({"image": "r/n:1", "engine": "bare"}, site_policy(), FACTS, PolicyError, "runs no image"),
        ({"engine": "charliecloud"}, site_policy(), FACTS, PolicyError, "needs an image"),
        ({"image": "r/n:1", "engine": "docker"}, site_policy(), FACTS, PolicyError, "allowed: charliecloud, bare"),
        ({"scheduler": "pbs"}, site_policy(), Facts(HOST), PolicyError, "allowed: slurm, local"),
        ({"image": "r/n:1"}, site_policy(image_patterns=("site/*",)), FACTS, PolicyError, "site/*"),
        (
            {"image": "r/n:1", "mounts": ["/etc"]}, site_policy(mount_sources=("/scratch",)), FACTS, PolicyError,
            "/scratch",
        ),
        ({"image": "r/n:1", "mounts": ["/new/x"]}, site_policy(), FACTS, RequestError, "/scratch"),
    ],
)
def test_what_the_site_does_not_allow_is_refused_with_what_it_does(raw, policy, facts, error, word):
    with pytest.raises(error) as refusal:
        drawn(raw, facts, policy)
    assert word in str(refusal.value)


def test_a_mount_source_is_not_allowed_by_its_spelling_alone():
    with pytest.raises(PolicyError):
        drawn({"image": "r/n:1", "mounts": ["/scratchy/x:/scratch/x"]}, policy=site_policy(mount_sources=("/scratch",)))


def test_limits_of_the_site_change_the_request_with_a_reason():
    made, _ = drawn({"image": "r/n:1", "nodes": 8, "time": 600}, policy=site_policy(max_nodes=2, max_time_minutes=60))
    assert (made.resources.nodes, made.resources.time_minutes) == (2, 60)
    assert made.reasons == ("Nodes 8 → 2: the site's limit", "Time limit 10 h → 1 h: the site's limit")


def test_a_work_directory_that_is_not_mounted_is_replaced_with_a_reason():
    facts = Facts(dataclasses.replace(HOST, cwd="/elsewhere"), IMAGE)
    made, container = drawn({"image": "r/n:1"}, facts)
    assert container.workdir == "/home/alice"
    assert "work directory /elsewhere" in made.reasons[0]


@pytest.mark.parametrize("asked", ["/usr/lib//x/", "/scratch/p/.", "/tmp/x", "/usr", "/"])
def test_a_work_directory_that_is_asked_for_is_taken(asked):
    made, container = drawn({"image": "r/n:1", "workdir": asked, "mounts": ["/data/p:/scratch/p"]})
    assert made.workdir == container.workdir == plain(asked)
    assert not any("work directory" in reason for reason in made.reasons)


@pytest.mark.parametrize(
    ("asked", "missing"), [("/nowhere", ()), ("/scratch/p", ()), ("/usr/x", ("/usr/x",)), ("/nowhere/x", ())]
)
def test_a_work_directory_that_the_image_is_known_not_to_have_is_refused(asked, missing):
    with pytest.raises(PolicyError, match=f"no directory {asked} to work in") as refusal:
        drawn({"image": "r/n:1", "workdir": asked}, dataclasses.replace(FACTS, missing=missing))
    assert refusal.value.field == "workdir" and refusal.value.hint


def test_annotations_that_no_engine_acts_on_are_said():
    made, _ = drawn({"image": "r/n:1", "annotations": {"com.hooks.b": "1", "com.hooks.a": "1"}})
    assert "annotations com.hooks.a, com.hooks.b: without effect, the engine charliecloud runs no hooks" in made.reasons


def test_targets_that_an_image_lacks_get_a_tree_of_their_own():
    mounts = (Mount("/a", "/home/x/y"), Mount("/b", "/scratch"), Mount("/c", "/usr/share"))
    assert stage(mounts, IMAGE, "/run") == ((Mount("/run/stage/home", "/home"),), ("/run/stage/home/x/y",))


def test_what_is_on_the_hosts_tmp_is_seen_where_it_is_and_nothing_is_laid_over_it():
    facts = Facts(dataclasses.replace(HOST, home="/tmp/alice", cwd="/tmp/alice/nb"), IMAGE)
    made, container = drawn({"image": "r/n:1", "mounts": ["/tmp/data", "/scratch/p"]}, facts)
    targets = [mount.target for mount in container.mounts]
    assert targets == ["/hpcctr/guest", "/hpcctr/run", "/scratch", "/scratch/p"]
    assert (container.workdir, made.reasons) == ("/tmp/alice/nb", ())
    made, _ = drawn({"image": "r/n:1"}, facts, site_policy(state_dir="/tmp/alice/state"))
    assert made.env["HPCCTR_STARTUP_CACHE"].startswith("/tmp/alice/state/")


@pytest.mark.parametrize("mount", ["/a:/tmp/p", "/tmp/p:/tmp/p:ro", "/a:/dev/p", "/a:/proc", "/a:/sys/x"])
def test_below_the_nodes_own_directories_nothing_else_can_be_mounted(mount):
    with pytest.raises(RequestError, match="the node's own") as refusal:
        drawn({"image": "r/n:1", "mounts": [mount]})
    assert "/scratch" in refusal.value.hint and "/tmp" not in refusal.value.hint


def test_a_work_directory_below_a_tmp_of_ones_own_is_not_there():
    facts = Facts(dataclasses.replace(HOST, cwd="/tmp/nb"), IMAGE)
    made, container = drawn({"image": "r/n:1", "mounts": ["/scratch/tmp:/tmp"]}, facts)
    assert container.workdir == "/home/alice"
    assert made.reasons == ("work directory /tmp/nb → /home/alice: it is not mounted in the container",)


def test_a_directory_below_the_hosts_tmp_cannot_be_had_with_a_tmp_of_ones_own():
    with pytest.raises(RequestError, match="/tmp/data: /tmp is the node's own"):
        drawn({"image": "r/n:1", "mounts": ["/scratch/tmp:/tmp", "/tmp/data"]})


def test_a_work_directory_that_another_mount_hides_is_not_there():
    facts = Facts(dataclasses.replace(HOST, cwd="/home/alice/nb/x"), IMAGE)
    made, _ = drawn({"image": "r/n:1", "mounts": ["/scratch/p:/home/alice/nb"]}, facts)
    assert "work directory" in made.reasons[0]
    made, _ = drawn({"image": "r/n:1", "mounts": ["/home/alice/nb"]}, facts)
    assert made.reasons == ()


def test_outer_directories_are_mounted_before_inner_ones():
    _, container = drawn({"image": "r/n:1", "mounts": ["/scratch/a/b", "/scratch/a", "/nfs/home:/home"]})
    asked = [mount.target for mount in container.mounts if not mount.source.startswith((HOST.run_dir, "/opt"))]
    assert asked == ["/home", "/home/alice", "/scratch/a", "/scratch/a/b"]


@pytest.mark.parametrize("mounts", [["/a:/scratch/x", "/b:/scratch/x"], ["/a:/scratch/x", "/b:/scratch//x/."]])
def test_two_mounts_at_one_place_are_refused(mounts):
    with pytest.raises(PolicyError, match="two directories .* /scratch/x") as refusal:
        drawn({"image": "r/n:1", "mounts": mounts})
    assert (refusal.value.field, bool(refusal.value.hint)) == ("mounts", True)


def test_another_directory_at_the_home_is_mounted_with_a_reason():
    made, container = drawn({"image": "r/n:1", "mounts": ["/scratch/h:/home/alice/"]})
    assert Mount("/scratch/h", "/home/alice") in container.mounts
    assert Mount("/home/alice", "/home/alice") not in container.mounts
    assert "home directory /home/alice: /scratch/h is mounted there" in made.reasons[0]
    made, _ = drawn({"image": "r/n:1", "mounts": ["/home/alice"]})
    assert made.reasons == ()


def test_mounts_without_an_image_are_refused():
    with pytest.raises(PolicyError, match="'bare' cannot mount /data") as refusal:
        drawn({"engine": "bare", "mounts": ["/data"]}, Facts(HOST))
    assert refusal.value.field == "mounts"


def test_a_place_that_an_image_lacks_in_a_directory_of_its_own_is_refused_with_where_there_is_room():
    raw = {"image": "r/n:1", "mounts": ["/usr/local/nvidia"]}
    with pytest.raises(RequestError, match="/usr/local/nvidia: the image has no such directory") as refusal:
        drawn(raw, dataclasses.replace(FACTS, missing=("/usr/local/nvidia",)))
    assert (refusal.value.field, refusal.value.hint) == ("mounts", "mount it below one of: /home, /scratch")
    _, container = drawn(raw)
    assert container.mounts[-1] == Mount("/usr/local/nvidia", "/usr/local/nvidia")


@pytest.mark.parametrize("target", ["/hpcctr", "/hpcctr/run", "/hpcctr/x"])
def test_our_own_directories_cannot_be_mounted_over(target):
    with pytest.raises(RequestError, match="/hpcctr is taken"):
        drawn({"image": "r/n:1", "mounts": [f"/data:{target}"]})


@pytest.mark.parametrize("lacks", ["dev", "proc", "sys", "tmp"])
def test_an_image_of_before_in_which_no_container_starts_is_to_be_fetched_again(lacks):
    roots = {name: empty for name, empty in IMAGE.roots.items() if name != lacks}
    with pytest.raises(ImageError, match=f"has no /{lacks}") as refusal:
        drawn({"image": "r/n:1"}, Facts(HOST, dataclasses.replace(IMAGE, roots=roots)))
    assert "images remove r/n:1" in refusal.value.hint


def test_an_image_gives_way_to_the_job_in_what_is_the_jobs_to_say():
    env = {
        "PATH": "/opt/bin", "LANG": "C.UTF-8", "SLURM_JOB_ID": "1", "SLURMD_NODENAME": "x",
        "CUDA_VISIBLE_DEVICES": "0", "OMPI_MCA_btl": "self", "LD_PRELOAD": "evil.so",
    }  # fmt: skip
    facts = dataclasses.replace(FACTS, image=dataclasses.replace(IMAGE, env=env))
    made, _ = drawn({"image": "r/n:1", "env": {"OMP_NUM_THREADS": "3"}}, facts)
    assert (made.env["PATH"], made.env["LANG"]) == ("/opt/bin", "C.UTF-8")
    assert made.image_env == {"CUDA_VISIBLE_DEVICES": "0", "OMPI_MCA_btl": "self"}
    assert made.reasons == (
        "the image sets CUDA_VISIBLE_DEVICES, OMPI_MCA_btl: the job's values come first where it has any",
        "the image sets SLURMD_NODENAME, SLURM_JOB_ID: left out, only the scheduler can know",
    )
    inside = compose(
        made.env, {"CUDA_VISIBLE_DEVICES": "2", "LANG": "de_DE", "OMP_NUM_THREADS": "8"},
        made.pass_env, made.drop_env, made.image_env,
    )  # fmt: skip
    assert (inside["CUDA_VISIBLE_DEVICES"], inside["OMPI_MCA_btl"]) == ("2", "self")
    assert (inside["LANG"], inside["OMP_NUM_THREADS"]) == ("C.UTF-8", "3")


@pytest.mark.parametrize("word", ["a b", "it's", "$(id)", "`id`", "\n", "-x", "", "é", "a;b"])
def test_a_job_script_is_one_program_with_its_words_as_they_are(word):
    import subprocess

    script = job_script(["printf", "%s|", word, "end"])
    said = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout
    assert said == f"{word}|end|"


def test_a_nul_cannot_be_written():
    with pytest.raises(RequestError):
        line(["a\0b"])
