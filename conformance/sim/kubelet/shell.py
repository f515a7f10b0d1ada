"""A minimal shell for the command lines of pods: sequences of commands with `;`, `&&`, `||`, `$?` and quotes.

`trap COMMANDS TERM` and `COMMAND & wait` are known as well: what a pod does when it is deleted.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from conformance.sim.container import Container
from conformance.sim.kubelet.environment import expand_shell

NOT_FOUND: Final = 127
"""Exit code of a command that does not exist."""
SYNTAX_ERROR: Final = 2
FIRST: Final = ";"
OPERATORS: Final = frozenset({FIRST, "&&", "||"})
WAITED_FOR: Final = " & wait"
"""The end of a command line whose last command runs in the background, so that the shell hears of SIGTERM."""
KEYWORDS: Final = frozenset({"if", "while", "until", "for", "case", "{"})

Runner = Callable[[Container, Sequence[str]], Awaitable[int | None]]
"""Runs one command; None means that there is no such command."""


async def shell(container: Container, run: Runner) -> int:
    """Run `sh -c TEXT` and return the exit code of the last command that ran."""
    flags, text = container.command[1:2], "".join(container.command[2:3])
    if flags not in (["-c"], ["-ec"], ["-ce"], ["-lc"]):
        container.log("sh: only `sh -c COMMANDS` is simulated")
        return SYNTAX_ERROR
    try:
        steps = list(split(text))
    except ValueError as error:
        container.log(f"sh: {error}")
        return SYNTAX_ERROR
    code, at_end = 0, ""
    for operator, words in steps:
        if words[0] == "trap":
            at_end = words[1]
            continue
        if container.stop.is_set() or (operator == "&&" and code) or (operator == "||" and not code):
            continue
        command = [expand_shell(word.replace("$?", str(code)), container.env) for word in words]
        if command[0] == "exit":
            return int(command[1]) if len(command) > 1 else code
        answer = await run(container, command)
        if answer is None:
            container.log(f"sh: 1: {command[0]}: not found")
        code = NOT_FOUND if answer is None else answer
        if code and "e" in flags[0] and operator == FIRST:
            return code
    if at_end and container.stop.is_set():
        for _, words in split(at_end):
            await run(container, words)
    return code


def split(text: str) -> Iterator[tuple[str, list[str]]]:
    """Split a command line into commands, each with the operator before it (`;` for the first).

    Raises:
        ValueError: The text uses other shell syntax, or a quote is not closed.
    """
    text = text.removesuffix(WAITED_FOR)
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    operator, words = FIRST, list[str]()
    for word in lexer:
        if word in OPERATORS:
            if words:
                yield operator, words
            operator, words = word, []
        elif word[0] in "&|<>()" or (not words and word in KEYWORDS):
            raise ValueError(f"`{word}` is not simulated; only commands separated by ; && || are")
        elif words or word != "exec":
            words.append(word)
    if words:
        yield operator, words
