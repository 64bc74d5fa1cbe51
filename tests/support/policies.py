"""A site's policy with our schedulers, as the configuration has it where nothing is said."""

from jupyter_hpcctr.core.facts import Policy


def site_policy(**own):
    """What a site without a configuration allows, but for what is given."""
    return Policy(**{"default_scheduler": "slurm", "schedulers": ("slurm", "local"), **own})
