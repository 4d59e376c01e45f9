"""Private names of other libraries: each stands in one place, and its test says what broke."""

import ast
from collections.abc import Iterator

import optuna
from conftest import REPOSITORY
from import_law import ROOMS

PUBLIC = {"_asdict", "_fields", "_replace", "_exit"}  # documented, of named tuples and of os
KNOWN = {
    # As Keras's own fit builds what is not built yet: tests/test_training.py (traced once)
    ("modelling/training/compiled_training.py", "_symbolic_build"),
    ("modelling/training/ensemble_model.py", "_compile_loss"),  # tests/test_training.py
    # As Keras's own optimizers ask for the slots of a variable: tests/test_group_lasso.py
    ("modelling/training/group_lasso.py", "_get_variable_index"),
    ("tasks/search/study.py", "_trial_id"),
}


def private_names(tree: ast.AST) -> Iterator[str]:
    """The private attributes that a module reads but does not define, and what it imports so."""
    nodes = list(ast.walk(tree))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    own = {node.name for node in nodes if isinstance(node, functions)}
    own |= {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            names = [node.attr] if node.attr not in own else []
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        else:
            names = []
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


def test_only_known_private_names_are_used_each_in_one_place():
    found = [
        (path.relative_to(REPOSITORY).as_posix(), name)
        for room in ROOMS
        for path in sorted((REPOSITORY / room).glob("**/*.py"))
        for name in private_names(ast.parse(path.read_text()))
        if name not in PUBLIC
    ]
    assert sorted(found) == sorted(KNOWN)


def test_optuna_still_keeps_a_trials_id():
    """With it an interrupted trial is asked for again; Optuna has no public way."""
    study = optuna.create_study()
    trial = study.ask()
    (frozen,) = study.get_trials()
    said = (
        "a FrozenTrial of Optuna has no _trial_id any more: mend Study.ask in tasks/search/study.py"
    )
    assert hasattr(frozen, "_trial_id"), said
    optuna.trial.Trial(study, frozen._trial_id).set_user_attr("known", "again")
    assert study.get_trials()[trial.number].user_attrs == {"known": "again"}
