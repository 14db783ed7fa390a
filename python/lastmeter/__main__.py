"""The command `lastmeter` of an environment with this package: the program itself."""

import os
import sys

from .errors import ProgramNotFound
from .program import find_program


def main() -> None:
    """Becomes the program, with the same arguments."""
    try:
        program = find_program()
    except ProgramNotFound as error:
        sys.exit(f"error: {error}")
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
