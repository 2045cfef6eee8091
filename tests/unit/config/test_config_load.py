"""From the file to the settings of the core and of the edges."""

import math
import statistics
import wave
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ccserver.config import ConfigurationRejected, check, load
from ccserver.config.asterisk_files import problems as problems_for_asterisk
from ccserver.config.difference import difference
from ccserver.config.flows import flow_node
from ccserver.config.prompts import COMFORT, SYSTEM_LANGUAGES, SYSTEM_PROMPTS, complete_library, system_library
from ccserver.config.reference import reference
from ccserver.config.sections import top
from ccserver.config.site_values import asterisk_values
from ccserver.core.codec import decode, encode
from ccserver.core.ids import Language
from ccserver.core.settings import EnqueueNode, Exit, ExitKind, HangUpNode, MenuNode, Settings, Spoken, SpokenKind
from ccserver.speech.sound import read_wav

HERE = Path(__file__).parent
EXAMPLE = Path(__file__).parents[3] / "ccserver/config/example.yaml"
REFERENCE = Path(__file__).parents[3] / "docs/configuration.md"


@pytest.fixture
def center(tmp_path: Path) -> Path:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text(f"a-good-{name}\n")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "center.yaml"
    path.write_text((HERE / "center.yaml").read_text())
    return path


def changed(center: Path, old: str, new: str) -> Path:
    text = center.read_text()
    assert old in text
    other = center.with_name("changed.yaml")
    other.write_text(text.replace(old, new, 1))
    return other


def test_the_example_has_no_problem_and_only_lacks_its_secrets() -> None:
    problems, warnings = check(EXAMPLE)
    assert problems == []
    assert [each.path for each in warnings] == ["asterisk.ami_secret_file", "asterisk.agi_secret_file"]


@pytest.mark.parametrize("name", ["support", "sales", "small_office", "selfservice", "returned_calls"])
def test_the_example_centers_only_lack_their_secrets(name: str) -> None:
    problems, warnings = check(EXAMPLE.parent / f"examples/{name}.yaml")
    assert problems == []
    assert [each.path for each in warnings] == ["asterisk.ami_secret_file", "asterisk.agi_secret_file"]


def test_each_key_is_shown_in_one_of_the_examples() -> None:
    files = [EXAMPLE, *sorted(EXAMPLE.parent.glob("examples/*.yaml"))]
    shown = [yaml.safe_load(file.read_text()) for file in files]
    in_comments = {"api", "privacy", "webhooks", "dialing", "trunks", "caller_ids", "campaigns"}
    assert {key for each in shown for key in each} | in_comments == set(top.fields)
    assert all(f"\n# {name}:\n" in EXAMPLE.read_text() for name in in_comments)
    seldom = {"queues": {"ring_more_every_s", "joins_when"}, "agents": set(), "phones": {"endpoint"}}
    for section, unshown in seldom.items():
        keys = {key for each in shown for thing in each[section].values() for key in thing or ()}
        assert keys | unshown == set(top.fields[section].kind.of.fields), section  # type: ignore[attr-defined]
    kinds = {key for each in shown for flow in each["flows"].values() for node in flow["nodes"].values() for key in node}
    assert kinds >= set(flow_node.groups) - {"extension", "conference"}


def test_the_settings_are_what_the_file_says(center: Path) -> None:
    settings = load(center).settings

    assert settings.pbx == "pbx"
    assert settings.language_skills == {"en": None, "es": "spanish"}
    assert settings.agents["101"].skills == {"sales": 50, "spanish": 50}  # type: ignore[index]
    assert {phone: each.number for phone, each in settings.phones.items()} == {
        "PJSIP/1001": "1001",
        "PJSIP/1002": "1002",
        "PJSIP/1003": "1003",
        "PJSIP/desk": "2001",
    }
    week = settings.hours["office"].week  # type: ignore[index]
    assert week == (((540, 1080),),) * 5 + (((540, 720), (780, 840)), ())
    queue = settings.queues["sales"]  # type: ignore[index]
    assert (queue.wrap_up_s, queue.ring_timeout_s, queue.max_waiting) == (20.0, 20.0, None)
    assert queue.on_closed == Exit(kind=ExitKind.QUEUE, target="second")
    nodes = settings.flows["main"].nodes  # type: ignore[index]
    which = nodes["which"]  # type: ignore[index]
    assert isinstance(which, MenuNode)
    assert (dict(which.choices), which.timeout_s, which.tries) == ({"1": "spanish", "2": "wait"}, 5.0, 3)
    assert nodes["wait"] == EnqueueNode(queue="sales")  # type: ignore[index, arg-type]
    said = (Spoken(SpokenKind.PROMPT, "cc-goodbye"), Spoken(SpokenKind.DIGITS, "12"))
    assert nodes["end"] == HangUpNode(say=said)  # type: ignore[index]
    assert settings.recording_dir == ""


def test_the_edges_have_secrets_paths_and_all_prompts(center: Path) -> None:
    edges = load(center).edges

    assert edges.asterisk.ami_secret == "a-good-ami.secret"
    assert edges.asterisk.agi_secret == "a-good-agi.secret"
    assert edges.asterisk.prompts_dir == Path("/prompts")
    assert edges.asterisk.prompts_local_dir == center.parent / "prompts"
    assert edges.database.url == "sqlite:////var/lib/ccserver/ccserver.db"
    assert edges.recording is None
    assert set(edges.pin_hashes) == {"101"}
    assert {*SYSTEM_PROMPTS, "welcome"} == set(edges.prompts)
    assert all(set(sources) == {"en", "es"} for sources in edges.prompts.values())


def test_no_secret_is_in_the_repr(center: Path) -> None:
    text = repr(load(center))
    edges = repr(load(center).edges)
    assert "a-good" not in text
    assert "scrypt" not in edges


def test_a_secret_that_cannot_be_read_stops_the_daemon_but_not_the_check(center: Path) -> None:
    (center.parent / "ami.secret").unlink()
    problems, warnings = check(center)
    assert problems == []
    assert [each.path for each in warnings] == ["asterisk.ami_secret_file"]
    with pytest.raises(
        ConfigurationRejected, match=r"asterisk\.ami_secret_file: expected a file with a secret, got .*no such file"
    ):
        load(center)


@pytest.mark.parametrize("content", [b"short", b"has a space in it", b"two\nlines-of-it", b"\xff" * 20, b"x" * 5000, b""])
def test_a_bad_secret_is_told_without_being_shown(center: Path, content: bytes) -> None:
    (center.parent / "ami.secret").write_bytes(content)
    problems, _ = check(center)
    assert [each.path for each in problems] == ["asterisk.ami_secret_file"]
    assert "8 to 128 letters" in problems[0].message
    if content:
        assert content.decode(errors="replace") not in problems[0].message


def test_a_secret_that_everybody_can_read_is_warned_of(center: Path) -> None:
    (center.parent / "ami.secret").chmod(0o644)
    assert [each.path for each in load(center).warnings] == ["asterisk.ami_secret_file"]


def test_the_database_password_comes_from_its_file(center: Path) -> None:
    (center.parent / "db.secret").write_text("p@ss/word\n")
    url = "country: ES\ndatabase: {url: 'postgresql+psycopg://cc@db:5433/history', password_file: db.secret}"
    edges = load(changed(center, "country: ES", url)).edges
    assert edges.database.url == "postgresql+psycopg://cc:p%40ss%2Fword@db:5433/history"
    assert "p%40ss" not in repr(edges)


# --- one file on top of another ---------------------------------------------------------------------------------------
def test_a_file_that_extends_another_holds_only_what_differs(center: Path) -> None:
    top_file = center.with_name("demo.yaml")
    top_file.write_text(
        "extends: center.yaml\nasterisk: {ami_port: 6000}\nqueues: {sales: {wrap_up_s: 1, on_closed: null}}\nprompts: {welcome: {en: Hi}}\n"
    )
    configuration = load(top_file)
    assert configuration.files == (top_file, center)
    assert configuration.edges.asterisk.ami_port == 6000
    assert configuration.settings.queues["sales"].wrap_up_s == 1  # type: ignore[index]
    assert configuration.settings.queues["sales"].on_closed.kind is ExitKind.HANG_UP  # type: ignore[index]
    assert configuration.edges.prompts["welcome"]["en"].text == "Hi"  # type: ignore[index]
    assert configuration.edges.prompts["welcome"]["es"].text == "Hola"  # type: ignore[index]


def test_a_problem_is_told_where_it_stands_also_in_the_other_file(center: Path) -> None:
    center.write_text(center.read_text().replace("wrap_up_s: 20", "wrap_up_s: x"))
    top_file = center.with_name("demo.yaml")
    top_file.write_text("extends: center.yaml\ncountry: zz\n")
    problems, _ = check(top_file)
    assert [(Path(each.file).name, each.line, each.path) for each in problems] == [
        ("center.yaml", 38, "queues.sales.wrap_up_s"),
        ("demo.yaml", 2, "country"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: demo.yaml\n", "1:10: extends: expected at most 3 files that extend one another, without a circle, got more"),
        ("extends: [a]\n", "1:1: extends: expected the path of a file to start from"),
    ],
)
def test_a_circle_of_files_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    assert [str(each) for each in check(path)[0]] == [f"{path}:{message}"]


def test_a_file_that_is_not_there_is_a_problem_too(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert [str(each) for each in check(path)[0]] == [
        f'{path}:1:1: expected a file that can be read, got "{path}": there is no such file'
    ]
    (tmp_path / "a.yaml").write_text("extends: none.yaml\n")
    assert str(check(tmp_path / "a.yaml")[0][0]).startswith(f"{tmp_path / 'a.yaml'}:1:10: extends: expected a file")


# --- prompts ----------------------------------------------------------------------------------------------------------
def test_a_recorded_prompt_must_be_in_the_form_that_telephones_play(center: Path) -> None:
    for name, rate in (("good.wav", 8000), ("fast.wav", 44100)):
        with wave.open(str(center.parent / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(b"\0\0" * 800)
    assert check(changed(center, "en: Hello", "en: {file: good.wav}"))[0] == []
    problems, _ = check(changed(center, "en: Hello", "en: {file: fast.wav}"))
    assert [each.message for each in problems] == [
        "expected a WAV file of 8 kHz, mono, 16 bit, got 44100 Hz, 1 channels, 16 bit (make one with: sox IN -r 8000 -c 1 -b 16 fast.wav)"
    ]


def test_the_site_can_replace_a_prompt_of_the_system_in_one_language(center: Path) -> None:
    edges = load(changed(center, "prompts:\n", "prompts:\n  cc-closed: {en: Come back tomorrow}\n")).edges
    assert edges.prompts["cc-closed"]["en"].text == "Come back tomorrow"  # type: ignore[index]
    assert edges.prompts["cc-closed"]["es"].text.startswith("Ahora estamos cerrados")  # type: ignore[index]


def test_a_regional_language_speaks_with_the_texts_of_its_language(center: Path) -> None:
    text = center.read_text().replace("  en: {}", "  en_GB: {}").replace("language: en\n", "language: en_GB\n")
    center.write_text(text.replace("language: en}", "language: en_GB}"))
    edges = load(center).edges
    assert edges.prompts["cc-ready"]["en_GB"].text == "You are ready."  # type: ignore[index]
    assert edges.prompts["welcome"]["en_GB"].text == "Hello"  # type: ignore[index]


def test_every_system_prompt_is_there_in_every_language() -> None:
    for name, texts in system_library().items():
        assert set(texts) == set(SYSTEM_LANGUAGES), name
        said = {source.text for source in texts.values() if source.file is None}
        assert len(said) in (0, len(SYSTEM_LANGUAGES)), f"{name}: two languages say the same"


# --- what is made of it -----------------------------------------------------------------------------------------------
def test_the_hash_tells_the_content_not_the_order_of_the_file(center: Path) -> None:
    first = load(center).settings
    lines = center.read_text().splitlines(keepends=True)
    moved = center.with_name("moved.yaml")
    moved.write_text("".join(lines[1:]) + lines[0])
    assert load(moved).settings.content_hash == first.content_hash
    assert load(changed(center, "wrap_up_s: 20", "wrap_up_s: 21")).settings.content_hash != first.content_hash


def test_the_settings_come_through_the_journal_unchanged(center: Path) -> None:
    settings = load(center).settings
    assert decode(Settings, encode(settings)) == settings


def test_the_values_for_asterisk_are_good_ones(center: Path) -> None:
    loaded = load(center)
    values = asterisk_values(loaded.edges, loaded.settings.features)
    assert problems_for_asterisk(values) == []
    assert (values.ami_secret, values.emergency_numbers) == ("a-good-ami.secret", ("112",))
    assert values.comfort_sound == "/prompts/en/cc-comfort"
    for bad in ("", "cc-comfort", "/prompts/en;x", "/prompts/a\nb = c"):
        (told,) = problems_for_asterisk(replace(values, comfort_sound=bad))
        assert told.startswith("comfort_sound: expected an absolute path"), bad


def test_what_is_no_speech_is_there_in_a_language_of_the_sites_own() -> None:
    german = Language("de")
    library = complete_library({}, (german,))
    assert set(library) == {"cc-beep", "cc-comfort"}
    assert all(sources[german].file is not None for sources in library.values())


def test_the_noise_of_a_quiet_line_is_quiet_and_noise() -> None:
    source = system_library()[COMFORT][Language("en")]
    assert source.file is not None
    samples, rate_hz = read_wav(source.file)
    assert (rate_hz, len(samples)) == (8000, 40_000)
    per_second = [samples[start : start + rate_hz] for start in range(0, len(samples), rate_hz)]
    # A sine of 0 dBm0 has 3.17 dB less than the loudest that G.711 knows.
    for part in per_second:
        assert -61 <= 20 * math.log10(statistics.pstdev(part) / (32636 / math.sqrt(2))) + 3.17 <= -59
    alike = statistics.correlation(list(samples[:-1]), list(samples[1:]))
    assert abs(alike) < 0.03, "white: no sample tells the next"


def test_the_difference_is_told_in_words(center: Path) -> None:
    old = load(center)
    assert difference(old, old).changes == ()
    text = center.read_text()
    for before, after in (
        ("wrap_up_s: 20", "wrap_up_s: 30"),
        ("on_closed: {queue: second}", "on_closed: {extension: 500, say: cc-closed}"),
        ("  101:\n", "  102: {name: Ben, skills: {sales: 1}}\n  101:\n"),
        ("en: Hello", "en: Good day"),
        ("XTKxQ2vqBvWnYJ0nEBbrTQ", "XTKxQ2vqBvWnYJ0nEBbrTR"),
        ("dispositions: [sold]", "record: false"),
    ):
        assert before in text
        text = text.replace(before, after)
    new_file = center.with_name("new.yaml")
    new_file.write_text(text)

    told = difference(old, load(new_file))

    assert told.refused == ()
    assert told.changes == (
        "pin_hashes.101: another one (not shown)",
        'prompts.welcome.en: "Hello" -> "Good day"',
        "agents.102: new",
        "queues.sales.wrap_up_s: 20 -> 30",
        "queues.sales.on_closed: queue second -> extension 500, saying cc-closed",
        "queues.sales.record.mode: always -> on_demand",
        "queues.sales.dispositions: [sold] -> []",
    )


def test_what_needs_a_restart_is_refused_with_these_words(center: Path) -> None:
    old = load(center)
    (center.parent / "ami.secret").write_text("another-secret\n")
    text = "country: ES\nmetrics: {port: 9999}\nstate_dir: /var/lib/other"
    new = load(changed(center, "country: ES", text))
    assert difference(old, new).refused == (
        "asterisk.ami_secret: another one (not shown) (needs a restart of ccserver)",
        "database.url: another one (not shown) (needs a restart of ccserver)",
        "metrics.port: 9318 -> 9999 (needs a restart of ccserver)",
        "state_dir: /var/lib/ccserver -> /var/lib/other (needs a restart of ccserver)",
    )


def test_a_removed_agent_and_queue_are_told_with_what_becomes_of_them(center: Path) -> None:
    old = load(center)
    text = (
        center.read_text()
        .replace("  second:\n    name: Second\n    skills: [sales]\n", "")
        .replace("{queue: second}", "{hang_up: true}")
    )
    text = text.replace("  2001: {endpoint: PJSIP/desk}\n", "")
    center.write_text(text)
    assert difference(old, load(center)).changes == (
        "phones.PJSIP/desk: removed",
        "queues.sales.on_closed: queue second -> hang up",
        "queues.second: removed (it takes no new calls; those that wait are still served)",
    )


def test_the_reference_is_up_to_date() -> None:
    assert REFERENCE.read_text() == reference(), "run: python -m ccserver.config.reference > docs/configuration.md"
