"""Runs programs for a parent process, and kills them when that process ends, even if it was killed.

    python keeper.py DIRECTORY

Each line of its standard input is a JSON array, name and command of a program to start. What a program prints goes to
DIRECTORY/NAME.log; when it ends, how goes to DIRECTORY/NAME.ended. When the input ends, because the other process
closed it or was killed, every program is killed and DIRECTORY removed. It is run by its path, without the package.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path


def main(directory: Path) -> None:
    """Serve standard input to its end."""
    programs: list[subprocess.Popen[bytes]] = []
    watchers: list[threading.Thread] = []
    for line in sys.stdin:
        name, *command = json.loads(line)
        note = directory / f"{name}.ended"
        with (directory / f"{name}.log").open("ab") as log:
            try:
                program = subprocess.Popen(  # noqa: S603 - it runs what its parent chose
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory
                )
            except OSError as error:
                _write(note, f"cannot be run: {error}")
                continue
        programs.append(program)
        watchers.append(threading.Thread(target=_note_end, args=(program, note)))
        watchers[-1].start()
    for program in programs:
        program.kill()
    for watcher in watchers:
        watcher.join()
    shutil.rmtree(directory)


def _note_end(program: subprocess.Popen[bytes], note: Path) -> None:
    _write(note, f"ended with status {program.wait()}")


def _write(note: Path, text: str) -> None:
    """Write a note that is never seen half written."""
    draft = note.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(note)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
