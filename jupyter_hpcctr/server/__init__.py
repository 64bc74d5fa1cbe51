"""The Jupyter server's extension: REST and events over what a process already knows; ``docs/rest.md`` is its manual."""
