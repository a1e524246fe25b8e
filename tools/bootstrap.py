"""Make the virtual environment, also where Python came without pip (Debian's bare ``python3``).

Usage: python3 tools/bootstrap.py DIRECTORY
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

OLDEST = (3, 11)
PIP_WHEEL = next(Path(__file__).parent.glob("pip-*.whl"))


def main() -> None:
    """Make the environment at the directory named on the command line, unless it is there."""
    if sys.version_info < OLDEST:
        sys.exit(f"Unicart needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
    directory = Path(sys.argv[1])
    python = str(directory / "bin" / "python")
    if not Path(python).exists():
        venv.create(directory, with_pip=False, symlinks=True)
    pip = [python, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        command = [*pip, "install", "--quiet", "--no-index", "--disable-pip-version-check", str(PIP_WHEEL)]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PIP_WHEEL)}, check=True)


if __name__ == "__main__":
    main()
