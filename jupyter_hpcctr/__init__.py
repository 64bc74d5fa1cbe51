"""Jupyter kernels inside OCI images on HPC nodes, through the site's own scheduler.

The rooms of this package, and what each may import, are drawn in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
