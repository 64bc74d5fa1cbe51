"""``python -m jupyter_hpcctr.agent SECRET_FILE``: what a job runs."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
