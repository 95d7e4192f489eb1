"""The house of the README: imports flow one way, torch stays out of the lower layers, files stay
small."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gccodec"
ALLOWED = {
    "errors": set(),
    "container": {"errors"},
    "entropy": {"errors"},
    "weights": {"errors", "entropy"},
    "model": {"errors", "entropy", "weights"},
    "image": {"errors", "container"},
    "semantics": {"errors", "container", "entropy", "weights", "model", "image"},
    "codec": {"errors", "container", "entropy", "weights", "model", "image", "semantics"},
    "storage": {"errors"},
    "batch": {
        "errors",
        "container",
        "entropy",
        "weights",
        "model",
        "image",
        "semantics",
        "codec",
        "storage",
    },
    "metrics": {"errors"},
    "benchmark": {
        "errors",
        "container",
        "entropy",
        "weights",
        "model",
        "image",
        "semantics",
        "codec",
        "metrics",
    },
    "training": {
        "errors",
        "entropy",
        "weights",
        "model",
        "image",
        "semantics",
        "codec",
        "metrics",
    },
    "cli": {
        *(
            "errors",
            "container",
            "entropy",
            "weights",
            "model",
            "image",
            "semantics",
            "codec",
            "metrics",
            "storage",
        ),
        *("batch", "benchmark", "training"),
    },
}
LONG_FUNCTIONS = {
    "benchmark/speed.py:time_parts",
    "cli/decode.py:command",
    "cli/encode.py:command",
}
"""To be made shorter; nothing is to be added."""
SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if len(p.relative_to(PACKAGE).parts) > 1)


def imported_modules(path: Path) -> set[str]:
    """Full names of everything a file imports, at the top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_layer_imports_only_the_layers_below_it(path):
    layer = path.relative_to(PACKAGE).parts[0]
    used = {name.split(".")[1] for name in imported_modules(path) if name.startswith("gccodec.")}
    assert used - {layer} <= ALLOWED[layer]


TESTS = Path(__file__).parent
WHOLE_SUBJECTS = {
    "benchmark": {"streamed"},
    "cli": {"batch", "commands", "faults", "help", "kill", "lossless", "program", "scale"},
    "codec": {"sweeps", "threads"},
    "image": {"damaged"},
    "training": {"all_stages"},
}
"""Tests of more than a module; those of the whole program stand in tests/ and tests/cluster/."""


@pytest.mark.parametrize(
    "layer",
    sorted(path.name for path in PACKAGE.iterdir() if (TESTS / path.name).is_dir()),
)
def test_tests_mirror_the_package(layer):
    """A module's tests are where its name says."""
    for path in (TESTS / layer).rglob("test_*.py"):
        module = path.relative_to(TESTS).with_name(path.name.removeprefix("test_"))
        assert (PACKAGE / module).exists() or module.stem in WHOLE_SUBJECTS.get(layer, ()), path


@pytest.mark.parametrize("layer", ["container", "entropy", "weights", "image"])
def test_lower_layers_never_import_torch(layer):
    for path in (PACKAGE / layer).rglob("*.py"):
        assert not any(name.split(".")[0] == "torch" for name in imported_modules(path)), path


def test_the_container_needs_the_standard_library_alone():
    for path in (PACKAGE / "container").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert roots <= set(sys.stdlib_module_names) | {"gccodec"}, path


def test_no_module_exceeds_300_lines():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path


def test_no_function_exceeds_60_lines_but_those_that_are_known():
    """Of its body: a command has as many parameters as options."""
    longer = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                documented = ast.get_docstring(node) is not None and len(node.body) > 1
                first = node.body[int(documented)].lineno
                if (node.end_lineno or 0) - first >= 60:
                    longer.add(f"{path.relative_to(PACKAGE)}:{node.name}")
    assert longer == LONG_FUNCTIONS


def test_only_the_command_line_prints():
    for path in SOURCES:
        if path.relative_to(PACKAGE).parts[0] != "cli":
            calls = [
                n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)
            ]
            assert "print" not in {c.id for c in calls if isinstance(c, ast.Name)}, path


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["info", "--help"], ["verify", "--help"]]
)
def test_light_commands_load_neither_torch_nor_numpy(arguments):
    program = (
        "import sys; from gccodec.cli.main import cli; cli.main(sys.argv[1:], "
        "standalone_mode=False);"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True).returncode
        == 0
    )


def test_every_folder_with_code_is_in_the_wheel():
    """A folder that pyproject.toml does not name is missing where the package is installed."""
    pyproject = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    folders = {p.parent.relative_to(PACKAGE.parent) for p in PACKAGE.rglob("*.py")}
    assert {".".join(f.parts) for f in folders} <= set(pyproject["tool"]["setuptools"]["packages"])
    assert all((PACKAGE.parent / folder / "__init__.py").exists() for folder in folders)
