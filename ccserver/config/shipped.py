"""The example centers that come with the program."""

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent


def examples() -> Mapping[str, Path]:
    """Their files by name; what an example needs beside itself has its ending in the name."""
    beside = sorted(each for each in (_HERE / "examples").iterdir() if each.is_file())
    scripts = sorted((_HERE / "examples" / "scripts").glob("*.py"))
    return {file.stem if file.suffix == ".yaml" else file.name: file for file in (_HERE / "example.yaml", *beside, *scripts)}
