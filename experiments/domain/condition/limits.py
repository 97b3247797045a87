"""How deep and how large a condition may be; enforced whenever one is checked or compiled."""

from collections.abc import Iterable, Mapping

from experiments.domain.errors import InvalidInput

MAX_DEPTH = 20
MAX_NODES = 1_000
MAX_LIST_ELEMENTS = 10_000
MAX_TEXT_LENGTH = 4_096


def pointer(path: str, key: object) -> str:
    """Extend a JSON pointer by one step."""
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"


def require_bounded(document: object) -> None:
    """Refuse a condition beyond the limits; does not recurse itself, so that whatever runs later safely may."""
    nodes = elements = 0
    pending: list[tuple[str, int, object]] = [("", 1, document)]
    while pending:
        path, depth, container = pending.pop()
        if depth > MAX_DEPTH:
            raise InvalidInput("condition_too_deep", f"A condition nests at most {MAX_DEPTH} levels.", path=path)
        for key, value in _children(container):
            is_container = isinstance(value, Mapping | list | tuple)
            if is_container or isinstance(container, Mapping):
                nodes += 1
            else:
                elements += 1
            _require_small(nodes, elements, key, value, path)
            if is_container:
                pending.append((pointer(path, key), depth + 1, value))


def _children(container: object) -> Iterable[tuple[object, object]]:
    if isinstance(container, Mapping):
        return container.items()
    return enumerate(container) if isinstance(container, list | tuple) else ()


def _require_small(nodes: int, elements: int, key: object, value: object, path: str) -> None:
    if nodes > MAX_NODES:
        raise _too_large(f"A condition has at most {MAX_NODES} parts.", path)
    if elements > MAX_LIST_ELEMENTS:
        raise _too_large(f"The lists of a condition hold at most {MAX_LIST_ELEMENTS} values; use a group.", path)
    if any(isinstance(text, str) and len(text) > MAX_TEXT_LENGTH for text in (key, value)):
        raise _too_large(f"A text in a condition has at most {MAX_TEXT_LENGTH} characters.", path)


def _too_large(message: str, path: str) -> InvalidInput:
    return InvalidInput("condition_too_large", message, path=path)
