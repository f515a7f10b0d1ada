"""YAML as Go programs of Kubernetes read it: the first document of a text as JSON values.

mig-parted reads its file with sigs.k8s.io/yaml, which resolves plain scalars by other rules than PyYAML: `y` is a
boolean, `1e1` and `08` are numbers, `1:30` and dates are text. A text may have several documents; only the first one is
read. One difference remains, in flow collections: libyaml 0.2.5 reads `?`, `!` and `:` otherwise where a bracket or a
comma follows directly.
Sources: sigs.k8s.io/yaml v1.6.0, yaml.go; go.yaml.in/yaml v2.4.3, decode.go, resolve.go and parserc.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from conformance.spec.go_scalars import ScalarError, Tag, key_text, resolve

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader based on libyaml, if PyYAML has it: its error messages are those of Go's port of libyaml."""
_MANY: Final = 1000
"""Values from which on the share of those that come from aliases is limited."""
_LARGEST_SHARE: Final = 0.99


class YamlError(ValueError):
    """The text cannot be read; the message is that of the Go libraries."""


@dataclass(eq=False)
class _Node:
    """A node of the document.

    Attributes:
        scalar: Value of a scalar as written; None for other nodes.
        tag: Explicit tag; empty for none.
        plain: Whether a scalar is neither quoted nor tagged.
        items: Items of a sequence, or keys and values of a mapping in turn.
        mapping: Whether the node is a mapping.
        alias: The node that an alias stands for; None for other nodes.
        name: Name of the anchor that an alias refers to.
    """

    scalar: str | None = None
    tag: str = ""
    plain: bool = False
    items: list[_Node] = field(default_factory=list)
    mapping: bool = False
    alias: _Node | None = None
    name: str = ""

    @property
    def pairs(self) -> Iterator[tuple[_Node, _Node]]:
        """Keys and values of a mapping."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    @property
    def merges(self) -> bool:
        """Whether the node is the key `<<`, whose value is merged into the mapping."""
        return self.scalar == "<<" and (self.plain or self.tag == Tag.MERGE)


def read_first_document(text: str) -> Any:
    """Return the first document of a YAML text as JSON values; None for an empty one.

    Keys become strings, spelled as Go spells them; of two equal keys the last one wins.

    Raises:
        YamlError: The text is not YAML, or has a value or key that JSON cannot represent.
    """
    try:
        root = _Document(yaml.parse(text, _LOADER)).root()
        return None if root is None else _Decoder().value(root)
    except yaml.YAMLError as error:
        raise YamlError(_problem(error)) from error
    except ScalarError as error:
        raise YamlError(str(error)) from error
    except RecursionError as error:
        raise YamlError("yaml: exceeded max depth of 10000") from error


class _Document:
    """Builds the nodes of the first document from the events of the parser."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}

    def root(self) -> _Node | None:
        """Return the node of the document; None if the text has none."""
        next(self._events)
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            return None
        if start.version not in (None, (1, 1)):
            raise YamlError("yaml: found incompatible YAML document")
        root = self._node(next(self._events))
        next(self._events)
        return root

    def _node(self, event: Any) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlError(f"yaml: unknown anchor '{event.anchor}' referenced")
            return _Node(alias=self._anchors[event.anchor], name=event.anchor)
        node = _Node(tag=event.tag or "")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if isinstance(event, yaml.ScalarEvent):
            node.scalar, node.plain = event.value, event.implicit[0]
            return node
        node.mapping = isinstance(event, yaml.MappingStartEvent)
        while not isinstance(event := next(self._events), yaml.CollectionEndEvent):
            node.items.append(self._node(event))
        return node


class _Decoder:
    """Turns nodes into JSON values."""

    def __init__(self) -> None:
        self._open: set[_Node] = set()
        self._values = self._from_aliases = 0

    def value(self, node: _Node) -> Any:
        """Return the JSON value of a node."""
        self._count()
        if node.alias is not None:
            return self._aliased(node, node.alias)
        if node.scalar is not None:
            return resolve(node.scalar, node.tag, plain=node.plain).as_json()
        if not node.mapping:
            return [self.value(item) for item in node.items]
        fields: dict[str, Any] = {}
        self._read_mapping(node, fields)
        return fields

    def _read_mapping(self, node: _Node, fields: dict[str, Any]) -> None:
        for key, value in node.pairs:
            if key.merges:
                self._merge(value, fields)
            else:
                fields[self._key(key)] = self.value(value)

    def _key(self, node: _Node) -> str:
        target = node.alias or node
        self._count()
        if target.scalar is None:
            raise YamlError(f"yaml: invalid map key: {self.value(target)}")
        return key_text(resolve(target.scalar, target.tag, plain=target.plain))

    def _merge(self, node: _Node, fields: dict[str, Any]) -> None:
        """Merge a mapping, or each of a sequence of mappings, into the fields read so far; the first one wins."""
        sources = [node] if node.alias is not None or node.mapping else node.items[::-1]
        if node.scalar is not None or not all((source.alias or source).mapping for source in sources):
            raise YamlError("yaml: map merge requires map or sequence of maps as the value")
        for source in sources:
            self._count()
            if source.alias is None:
                self._read_mapping(source, fields)
            else:
                fields |= self._aliased(source, source.alias)

    def _aliased(self, node: _Node, target: _Node) -> Any:
        if node in self._open:
            raise YamlError(f"yaml: anchor '{node.name}' value contains itself")
        self._open.add(node)
        try:
            return self.value(target)
        finally:
            self._open.discard(node)

    def _count(self) -> None:
        """Refuse a text whose aliases multiply its values."""
        self._values += 1
        self._from_aliases += bool(self._open)
        if self._values > _MANY and self._from_aliases > _LARGEST_SHARE * self._values:
            raise YamlError("yaml: document contains excessive aliasing")


def _problem(error: yaml.YAMLError) -> str:
    """Return the message of Go's port of libyaml, which counts lines from 0 and omits that one."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"yaml: {error.reason}"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"yaml: {error}"
    marks = [mark.line for mark in (error.problem_mark, error.context_mark) if mark is not None and mark.line]
    if not marks:
        return f"yaml: {error.problem}"
    scanner = isinstance(error, yaml.scanner.ScannerError) and error.problem_mark and error.problem_mark.line
    return f"yaml: line {marks[0] + bool(scanner)}: {error.problem}"
