"""That every function which flows and look-ups name is in the administrator's folder, and takes what it will be given."""

from collections.abc import Iterator

from ccserver.config.look_up_edges import PythonLookUp
from ccserver.config.positions import PathInFile, quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.script_files import ARGUMENTS, ScriptKind, ScriptsFound, Unsafe, functions_in, kinds_named
from ccserver.config.sections import Document
from ccserver.core.settings import ScriptNode


def check_scripts(document: Document, reader: Reader) -> None:
    """Tell the reader each name that is none. The functions are read, and not run."""
    used = list(_used(document))
    if document.scripts_dir is None:
        for path, name, _ in used:
            message = f"expected a function of the folder scripts_dir, got {quoted(name)} without such a folder"
            reader.tell(path, hinted(message, "add scripts_dir: /etc/ccserver/scripts"))
        return
    try:
        found = functions_in(document.scripts_dir)
    except Unsafe as fault:
        reader.tell(("scripts_dir",), f"expected a folder that only its owner can write, got {fault}")
        return
    told: set[str] = set()
    for path, name, kind in used:
        module = name.partition(".")[0]
        if module not in found.faults:
            _named(path, name, kind, found, reader)
        elif module not in told:
            told.add(module)
            reader.tell(path, f"expected a function of a file that can be run, got {found.faults[module]}")


def _used(document: Document) -> Iterator[tuple[PathInFile, str, ScriptKind]]:
    for flow_name, flow in document.flows.items():
        for node_name, node in flow.nodes.items():
            if isinstance(node, ScriptNode):
                yield ("flows", flow_name, "nodes", node_name, "script"), node.script, ScriptKind.WITH_CALL
    for name, look_up in document.look_ups.items():
        if isinstance(look_up, PythonLookUp):
            yield ("look_ups", name, "python"), look_up.function, ScriptKind.PURE


def _named(path: PathInFile, name: str, kind: ScriptKind, found: ScriptsFound, reader: Reader) -> None:
    function = found.functions.get(name)
    expected = f"expected a function {ARGUMENTS[kind]} of the folder scripts_dir"
    if function is None:
        near = nearest(name, kinds_named(found, kind))
        hint = f"did you mean {near}?" if near else "ccserver script list shows what there is"
        reader.tell(path, hinted(f"{expected}, got {quoted(name)}", found.others.get(name, hint)))
    elif function.kind is not kind:
        place = f"{function.file.name}:{function.line}"
        reader.tell(path, hinted(f"{expected}, got {quoted(name)}, which takes {ARGUMENTS[function.kind]}", place))
