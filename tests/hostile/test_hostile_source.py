"""What the source must not hold: nothing that comes from outside is loaded as objects or carried out."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEVER_IMPORTED = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "yaml", "joblib"}
NEVER_CALLED = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "pd.read_pickle",
    "pandas.read_pickle",
}


def sources() -> list[Path]:
    return [path for folder in ("console", "engine", "flows", "worker") for path in (ROOT / folder).rglob("*.py")]


def wrong(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in NEVER_IMPORTED]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in NEVER_IMPORTED:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            found += [name for name in [ast.unparse(node.func)] if name in NEVER_CALLED]
            found += ["shell=True" for word in node.keywords if word.arg == "shell"]
    return found


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell() -> None:
    assert len(sources()) > 100
    assert {str(path): found for path in sources() if (found := wrong(ast.parse(path.read_text("utf-8"))))} == {}


def test_this_would_be_noticed() -> None:
    bad = "import pickle\nfrom yaml import load\neval(x)\nos.system(x)\nsubprocess.run(x, shell=True)"

    assert sorted(wrong(ast.parse(bad))) == ["eval", "os.system", "pickle", "shell=True", "yaml"]


def test_the_only_eval_of_bash_is_of_scripts_that_we_compiled() -> None:
    scripts = [
        path
        for folder in ("console", "engine", "worker")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".sh", ".py")
    ]

    assert [
        path.name for path in scripts if any(line.strip().startswith("eval ") for line in path.read_text("utf-8").splitlines())
    ] == ["shell.py"]
