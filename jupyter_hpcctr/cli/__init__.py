"""``jupyter hpcctr``: each module here adds one subcommand by its ``register(subparsers)``."""
