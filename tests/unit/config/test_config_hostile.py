"""Whatever is in the file: either settings or ConfigurationRejected, in bounded time."""

import itertools
import os
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any, cast

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ccserver.config import ConfigurationRejected, check, load
from ccserver.config.circles import circles
from ccserver.config.exits import exits
from ccserver.config.flow_ways import NEEDED, onward, way_out
from ccserver.config.positions import MAX_BYTES, MAX_PROBLEMS, is_control
from ccserver.core.settings import ExitKind

HERE = Path(__file__).parent
GOOD = (HERE / "center.yaml").read_text()
FLOWS = (HERE / "flows.yaml").read_text()
SEVERAL = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, content: bytes) -> list[str]:
    """The problems told; the file is either loaded or refused, and nothing else happens."""
    path = folder / "c.yaml"
    path.write_bytes(content)
    for name in ("ami.secret", "agi.secret"):
        (folder / name).write_text("a-good-secret")
    scripts = folder / "scripts"
    scripts.mkdir(mode=0o755, exist_ok=True)
    (scripts / "orders.py").write_text("def check(agi, call):\n    return None\n")
    try:
        settings = load(path).settings
    except ConfigurationRejected as rejected:
        assert rejected.problems
        messages = [str(each) for each in rejected.problems]
        assert not any(is_control(c) for message in messages for c in message)
        assert all(each.line >= 1 and each.column >= 1 for each in rejected.problems)
        return messages
    for queue in settings.queues.values():
        for _, way in exits(queue):
            known = {ExitKind.QUEUE: settings.queues, ExitKind.FLOW: settings.flows, ExitKind.AGENT: settings.agents}.get(
                way.kind
            )
            assert known is None or way.target in known
        assert all(member in settings.agents for member in queue.members)
        assert queue.hours is None or queue.hours in settings.hours
    assert all(did.flow in settings.flows and did.language in settings.language_skills for did in settings.dids.values())
    for flow in settings.flows.values():
        assert flow.start in flow.nodes
        for node in flow.nodes.values():
            assert all(target in flow.nodes for target in onward(node, flow, settings.queues))
            assert all(way_out(node, key, flow) is not None for key in NEEDED.get(type(node), ()))
    assert settings.offers.missed_reason in settings.reasons
    return []


@SEVERAL
@given(st.binary(max_size=400))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe")
@example(b"a: \x00")
@example(b'"\\ud800": 1')
@example(b"%YAML 9.9\n---\na: 1")
@example(b"--- |\n x\n...\n--- 2")
@example(b"<<: {a: 1}")
@example(b"!!binary x: y")
def test_random_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content)


@cache
def _read_once(text: str) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.load(text, Loader=yaml.BaseLoader))


def tree(text: str) -> dict[str, Any]:
    """The file as texts and tables, to be changed: YAML's own guesses would make a truth of the key `on`."""
    return deepcopy(_read_once(text))


def written(document: dict[str, Any]) -> bytes:
    return yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True).encode()


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["sales", "main", "1", "*"])
)
WORDS = sorted({*re.split(r"[:{}, \n]+", GOOD), *re.split(r"[:{}, \n]+", FLOWS)})
KEYS = st.sampled_from(WORDS) | st.text(max_size=8)
TREES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20)


@SEVERAL
@given(
    st.sampled_from([GOOD, FLOWS]),
    st.dictionaries(st.sampled_from(sorted(tree(FLOWS))), TREES, min_size=1, max_size=6),
)
def test_any_tree_in_the_place_of_sections_is_settings_or_refused(
    tmp_path: Path, good: str, sections: dict[str, object]
) -> None:
    document = tree(good) | sections
    read(tmp_path, written(document))


@SEVERAL
@given(st.data())
def test_any_tree_in_the_place_of_a_node_is_settings_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    document = tree(FLOWS)
    flow = document["flows"][data.draw(st.sampled_from(sorted(document["flows"])))]
    node = flow["nodes"][data.draw(st.sampled_from(sorted(flow["nodes"])))]
    node |= data.draw(
        st.dictionaries(st.sampled_from(sorted(node)) | KEYS, TREES | st.sampled_from(WORDS), min_size=1, max_size=3)
    )
    read(tmp_path, written(document))


@SEVERAL
@given(st.data())
def test_a_good_file_with_a_few_bytes_changed_is_settings_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([GOOD, FLOWS])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    read(tmp_path, bytes(content))


@pytest.mark.parametrize("good", [GOOD, FLOWS])
def test_the_good_files_are_good(tmp_path: Path, good: str) -> None:
    assert read(tmp_path, good.encode()) == []


BOMB = "a: &a [x, x, x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in itertools.pairwise("abcdefghijkl"))
MANY_NODES = "flows: {main: {start: n0, nodes: {" + ", ".join(
    f"n{i}: {{hours: h, on_open: n{i + 1}, on_closed: n{i + 1}}}" for i in range(499)
)

QUEUES = "".join(f"  queue-number-{i}: {{name: Q, skills: [sales]}}\n" for i in range(490))
CASES = ", ".join(f"{{when: queue.queue-numbre-{i}x.staffd > 0, then: people}}" for i in range(50))
MANY_WRONG = FLOWS.replace("queues:\n", f"queues:\n{QUEUES}").replace(
    "      people: {enqueue: sales}\n",
    "      people: {enqueue: sales}\n" + "".join(f"      b{i}: {{branch: [{CASES}], otherwise: people}}\n" for i in range(120)),
    1,
)
RING = FLOWS.replace("5: ana,", "5: ana, 9: n0,").replace(
    "      people: {enqueue: sales}\n",
    "      people: {enqueue: sales}\n"
    + "".join(
        f"      n{i}: {{branch: [{{when: is_paid, then: n{(i * 7 + 1) % 400}}}], otherwise: n{(i + 1) % 400}}}\n"
        for i in range(400)
    ),
    1,
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("aliases", BOMB.encode(), "1:4: a: expected a value, got the anchor"),
        ("deep lists", b"[" * 900, "expected at most 16 levels, got more"),
        ("deeper lists than the parser reads", b"[" * 100_000, "expected"),
        ("deep tables", b"{a: " * 100_000, "expected at most 16 levels, got more"),
        ("deep keys", b"? " * 100_000, "expected"),
        ("large", b"#" * (MAX_BYTES + 1), f"expected at most {MAX_BYTES} bytes, got {MAX_BYTES + 1}"),
        ("many nodes", b"a: [" + b"1," * 300_000 + b"]", "expected at most 200000 values in the file, got more"),
        ("many problems", b"".join(b"k%d: 1\n" % i for i in range(20_000)), "expected a key of the settings"),
        ("one long line", b"country: " + b"x" * 1_000_000, "expected a country code"),
        ("bytes", b"country: \xff", "1:10: expected UTF-8, got the byte 0xff"),
        ("many wrong names", MANY_WRONG.encode(), "expected a variable of this flow or a known name"),
        ("a silent ring", RING.encode(), "the silent circle n0 -> "),
        (
            "deep expressions",
            FLOWS.replace("is_paid and amount > 100", "(" * 450 + "1" + ")" * 45).encode(),
            "at most 25 levels",
        ),
        ("diamonds", MANY_NODES.encode() + b", n499: {hang_up: true}}}}", "country: expected a country code, got nothing"),
    ],
)
def test_a_bomb_is_refused_at_once(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    started = process_time()
    messages = read(tmp_path, content)
    assert process_time() - started < 10, f"{name} took too long"
    assert any(expected in message for message in messages), messages[:5]
    assert len(messages) <= MAX_PROBLEMS + 1
    assert all(len(message) < 3000 for message in messages)


def test_a_large_center_is_read_in_seconds(tmp_path: Path) -> None:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret")
    agents = "".join(f"  {n}: {{name: Agent {n}, skills: {{sales: 50}}}}\n" for n in range(1000, 4000))
    (tmp_path / "c.yaml").write_text(
        GOOD.replace("agents:\n", f"agents:\n{agents}", 1).replace("1001-1003: {}", "10000-13999: {}")
    )
    started = process_time()
    configuration = load(tmp_path / "c.yaml")
    assert process_time() - started < 20
    assert (len(configuration.settings.agents), len(configuration.settings.phones)) == (3001, 4001)


@pytest.mark.parametrize("place", ["a folder", "a device", "a pipe"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, place: str) -> None:
    path = tmp_path / "c.yaml"
    if place == "a folder":
        path.mkdir()
    elif place == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert [each.message for each in check(path)[0]] == [
        f'expected a file that can be read, got "{path}": there is no such file'
    ]


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=4)))
def test_a_graph_has_a_circle_exactly_if_one_is_found(graph: dict[str, list[str]]) -> None:
    found = circles(graph)
    for circle in found:
        for here, there in itertools.pairwise([*circle, circle[0]]):
            assert there in graph[here]
    # Taking away nodes without a way on leaves nothing in a graph without circles.
    left = {name: [each for each in targets if each in graph] for name, targets in graph.items()}
    while any(not targets for targets in left.values()):
        ended = {name for name, targets in left.items() if not targets}
        left = {name: [each for each in targets if each not in ended] for name, targets in left.items() if name not in ended}
    assert bool(found) == bool(left)
