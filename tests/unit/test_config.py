"""The site's configuration: who wins, what is the default, and what a kernelspec cannot reach."""

import json

import pytest
from jupyter_core import paths
from support.policies import site_policy
from traitlets.config import Config

from jupyter_hpcctr.config import BASENAME, Configuration, HpcctrSite, load_policy
from jupyter_hpcctr.core.facts import CatalogueImage
from jupyter_hpcctr.core.questions import Endpoint
from jupyter_hpcctr.errors import ConfigurationError
from jupyter_hpcctr.provisioner import HpcctrProvisioner


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Directories for the user's and the system's files; ``places(user={…}, system={…})`` writes them."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setattr(paths, "SYSTEM_CONFIG_PATH", [str(tmp_path / "system")])
    monkeypatch.setattr(paths, "ENV_CONFIG_PATH", [])

    def write(**files):
        for name, settings in files.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{BASENAME}.json").write_text(json.dumps({"HpcctrSite": settings}))

    return write


def test_without_files_the_defaults_of_the_policy_hold(places, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = site_policy(
        store=f"{tmp_path}/.local/share/jupyter_hpcctr/images", state_dir=f"{tmp_path}/.local/state/jupyter_hpcctr"
    )
    assert load_policy() == expected


def test_the_administrator_wins_over_the_process_and_that_over_the_user(places):
    places(user={"max_nodes": 99, "max_time_minutes": 1, "store": "/user"}, system={"max_nodes": 2})
    own = Config({"HpcctrSite": {"max_nodes": 50, "max_time_minutes": 5}, "Other": {"x": 1}})
    policy = load_policy(own)
    assert (policy.max_nodes, policy.max_time_minutes, policy.store) == (2, 5, "/user")


def test_a_python_file_works_too(places, tmp_path):
    places(user={})
    (tmp_path / "user" / f"{BASENAME}.py").write_text("c = get_config()\nc.HpcctrSite.image_patterns = ['r/*']\n")
    assert load_policy().image_patterns == ("r/*",)


def test_a_kernelspec_can_set_the_request_and_nothing_of_the_site():
    ours = set(HpcctrProvisioner.class_own_traits(config=True))
    assert ours == {"request"}
    assert not set(HpcctrSite.class_own_traits()) & set(HpcctrProvisioner.class_traits())


def test_the_catalogue_and_the_prices_are_values(places):
    image = {"reference": "registry.example.org/a:1", "title": "A"}
    places(user={"catalogue": [image], "prices": {"gpu": 2, "*": 0.5}, "currency": "EUR"})
    policy = load_policy()
    assert policy.catalogue == (CatalogueImage("registry.example.org/a:1", "A"),)
    assert policy.prices == (("*", 0.5), ("gpu", 2.0)) and policy.currency == "EUR"
    assert hash(policy)


def test_endpoints_are_values(places):
    places(user={"endpoints": {"api": {"url": "https://api.example.org:6443", "token_file": "${HOME}/.token"}}})
    policy = load_policy()
    assert policy.endpoints == (("api", Endpoint("https://api.example.org:6443", token_file="${HOME}/.token")),)
    assert hash(policy)


@pytest.mark.parametrize("endpoint", [{}, {"url": "api.example.org"}, {"url": "https://a", "token": "s3cret"}])
def test_an_endpoint_that_is_none_is_refused_without_what_is_in_it(places, endpoint):
    places(user={"endpoints": {"api": endpoint}})
    with pytest.raises(ConfigurationError, match="the endpoint 'api' has a 'url'") as refused:
        load_policy()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("image", [{"title": "no reference"}, {"reference": "a", "more": "b"}, {"reference": 3}])
def test_an_image_of_the_catalogue_that_is_none_is_refused(places, image):
    places(user={"catalogue": [image]})
    with pytest.raises(ConfigurationError):
        load_policy()


@pytest.mark.parametrize(
    ("name", "text"),
    [("json", "{"), ("py", "c.HpcctrSite.max_nodes ="), ("py", "raise SystemExit(3)"), ("py", "import nothing_such")],
)
def test_a_file_that_cannot_be_read_is_named(places, tmp_path, name, text):
    places(system={})
    path = tmp_path / "system" / f"{BASENAME}.{name}"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        load_policy()


@pytest.mark.parametrize("text", ['["a"]', '{"HpcctrSite": 3}', '{"HpcctrSite": {"max_nodes": "many"}}'])
def test_what_is_no_configuration_is_refused(places, tmp_path, text):
    places(system={})
    (tmp_path / "system" / f"{BASENAME}.json").write_text(text)
    with pytest.raises(ConfigurationError):
        load_policy()


def test_a_change_of_the_files_is_said_once_and_changes_nothing(places, caplog):
    places(system={"max_nodes": 2, "currency": "EUR"})
    site = Configuration()
    assert site.changed() is None
    places(system={"max_nodes": 33, "currency": "CHF"}, user={"max_nodes": 9})
    first = site.changed()
    assert first.settings == ("max_nodes", "currency")
    assert first.message.endswith(": max_nodes, currency")
    assert site.changed() is first
    assert (site.policy.max_nodes, site.policy.currency) == (2, "EUR")
    assert [record.message.count("has changed at") for record in caplog.records] == [1]
    places(system={"max_nodes": 2, "currency": "EUR"})
    assert site.changed() is None, "the files say again what they said"


def test_files_that_are_written_again_or_broken_or_gone_do_no_harm(places, tmp_path):
    places(system={"max_nodes": 2})
    path = tmp_path / "system" / f"{BASENAME}.json"
    site = Configuration()
    path.write_text(path.read_text() + "\n")
    assert site.changed() is None, "it says the same"
    path.write_text("{")
    broken = site.changed()
    assert broken.settings == ()
    assert f"is broken: {path} cannot be read" in broken.message
    path.unlink()
    assert site.changed().settings == ("max_nodes",)
    assert site.policy.max_nodes == 2


def test_what_the_process_itself_is_configured_with_is_part_of_it(places):
    own = Config({"HpcctrSite": {"max_nodes": 5}})
    site = Configuration(own)
    own.HpcctrSite.max_nodes = 7
    places(system={"currency": "EUR"})
    assert site.changed().settings == ("currency",)
    assert site.policy.max_nodes == 5
