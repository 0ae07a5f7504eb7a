"""What installed code must not do: unpickle, evaluate, start shells."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    file for folder in ("polo_ros", "experiments", "launch") for file in sorted((ROOT / folder).rglob("*.py"))
]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "pty", "commands"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
# torch reads and writes pickles
CALLS = {"os.system", "os.popen", "subprocess.getoutput", "torch.load", "torch.save"}
SAFE_YAML = {"SafeLoader", "CSafeLoader"}


def faults(source: str) -> list[str]:
    """What a source text does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            bad = name in BUILTINS | CALLS
            bad |= keywords.get("shell", "False") != "False"
            bad |= keywords.get("allow_pickle", "False") != "False"
            bad |= name == "yaml.load" and len(node.args) + len(node.keywords) < 2
            bad |= name in {"yaml.unsafe_load", "yaml.full_load"}
            if bad:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_pickle_no_eval_no_shell(file: Path) -> None:
    assert not faults(file.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from dill import loads", "eval('1')", "exec('x = 1')", "os.system('ls')",
        "subprocess.run('ls', shell=True)", "np.load(f, allow_pickle=True)", "torch.load(f)", "yaml.load(f)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert faults(source)


def test_loaders_of_yaml_make_plain_data() -> None:
    from polo_ros.parameters import yaml_files

    for name, value in vars(yaml_files).items():
        if isinstance(value, type) and "Loader" in name:
            assert SAFE_YAML & {base.__name__ for base in value.__mro__}, name
