"""The worker of ``far.Called``: JSON-RPC 2.0, a message a line; ends with its standard input."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.far import answered

places = []
for line in sys.stdin:
    asked = json.loads(line)
    value, error = answered(asked["method"], asked["params"], dict(os.environ), places)
    told = {"error": {"code": 1, "message": error}} if error else {"result": value}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **told}), flush=True)
