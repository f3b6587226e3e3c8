"""A process of its own that does as its order says; `python -m obedient_child`."""

import os
import sys
import time
from typing import Any

from sqlalchemy.exc import OperationalError

from db.errors import ContentError
from mining import child


def work(order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "count":
            for done in range(3):
                child.report("count", done, 3, loss=0.5 * done)
            return {"counted": 3, "of": order["of"]}
        case "chatter":
            print("a library's banner")
            print('["a list in JSON"]')
            sys.stderr.write("x" * 300_000)
            return {}
        case "refuse":
            raise ContentError("the series has no geometry", series="1.2.3")
        case "break":
            raise ValueError("Doe^John")
        case "break at length":
            raise ValueError("no date:\nDoe^John\nDoe: 1950\n  File of Doe\n" + "-" * 20_000)
        case "mutter and leave":
            sys.stderr.write("the value Doe^John is no date\n")
            sys.exit(1)
        case "lose the database":
            raise OperationalError("SELECT 1", {}, ConnectionError())
        case "wait":
            child.report("wait", 0, 1, pid=os.getpid())
            time.sleep(600)
        case "vanish":
            os._exit(9)
    return {}


if __name__ == "__main__":
    child.run(work)
