"""Files of leads: what becomes of each row, who is there twice, and that whoever is killed goes on as if nothing had been."""

import csv
import os
import random
import signal
import traceback
import tracemalloc
from pathlib import Path

import pytest
from lead_desk import a_lead, a_list, number, of_list, read_file
from sqlalchemy import event, select

from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_import import Duplicates, MayNotImport, Progress, Rules
from ccserver.store.lead_rows import BadLead
from ccserver.store.lead_schema import lead_imports

ON_POSTGRESQL = {
    "test_a_row_becomes_a_lead",
    "test_who_is_there_twice_is_rejected",
    "test_who_is_there_twice_is_changed",
    "test_other_lists_count_only_if_asked",
    "test_it_goes_on_only_with_the_same_options",
    "test_two_imports_of_one_file_at_a_time_are_one",
}
HEAD = "key,number,name,city\n"


def a_file(folder: Path, *lines: str, head: str = HEAD, name: str = "leads.csv") -> Path:
    path = folder / name
    path.write_text(head + "".join(f"{line}\n" for line in lines))
    return path


def rejected(path: Path) -> list[tuple[int, str]]:
    with path.with_suffix(".rejected").open(newline="") as file:
        return [(int(row[0]), row[1]) for row in list(csv.reader(file))[1:]]


# --- rows ---------------------------------------------------------------------------------------------------------------
def test_a_row_becomes_a_lead(store: Store, tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        "c1,600 111 222,911222333,Eva  Luna,Atlantic/Canary,5,calls,2026-05-03,2027-05-03,Telde,",
        head="key,Number,number2,name,time_zone,priority,consent,consent_date,consent_until,city,colour\n",
    )
    assert read_file(store, path).added == 1
    (lead,) = of_list(store)
    assert (lead.key, lead.name, lead.time_zone, lead.priority, lead.line) == ("c1", "Eva Luna", "Atlantic/Canary", 5, 2)
    assert lead.fields == {"city": "Telde"}
    assert (lead.consent_kind, f"{lead.consent_at:%F}", f"{lead.consent_until:%F}") == (
        "calls",
        "2026-05-03",
        "2027-05-03",
    )
    mobile, fixed = lead.numbers
    assert (mobile.e164, mobile.line_type, mobile.region) == ("+34600111222", "mobile", "ES")
    assert {"Atlantic/Canary", "Europe/Madrid"} <= set(mobile.time_zones), "a mobile may be anywhere in the country"
    assert (fixed.e164, fixed.line_type, fixed.time_zones) == ("+34911222333", "fixed_line", ("Europe/Madrid",))


def test_what_a_number_tells(store: Store, tmp_path: Path) -> None:
    path = a_file(tmp_path, "1,+12125551234,,", "2,+442071838750,,", "3,+18005551234,,", "4,0049 30 901820,,")
    read_file(store, path)
    told = {lead.key: lead.numbers[0] for lead in of_list(store)}
    assert (told["1"].region, told["1"].time_zones, told["1"].line_type) == (
        "US",
        ("America/New_York",),
        "fixed_line_or_mobile",
    )
    assert (told["2"].e164, told["2"].time_zones) == ("+442071838750", ("Europe/London",))
    assert told["3"].line_type == "toll_free" and len(told["3"].time_zones) > 4, "it may be answered anywhere"
    assert (told["4"].e164, told["4"].time_zones) == ("+4930901820", ("Europe/Berlin",))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,,,", "there is no number"),
        ("1,12,,", 'number: "12" is no number that exists in ES'),
        ("1,abc,,", 'number: "abc" is no telephone number'),
        ("1,+34600111222 ext 3,,", "has an extension"),
        ("1,600111222", "2 cells in place of 4"),
        ('1,600111222,"x"y,', "something follows a closing quote"),
        ('1,600111222,"Eva,', "a quote begins in this line that does not end"),
        ("1,600111222,a\x00b,", "control character"),
        (f"1,600111222,,{'x' * 1001}", "city: at most 1000 characters"),
        (f"1,600111222,{'x' * 201},", "a name has at most 200 characters"),
        (f"1,600111222,{'x' * 70_000},", "a line is at most 65536 bytes"),
        (f"{'x' * 201},600111222,,", "a key has at most 200 characters"),
    ],
)
def test_a_row_that_makes_no_lead_is_told_with_its_line(store: Store, tmp_path: Path, line: str, reason: str) -> None:
    path = a_file(tmp_path, "a,600111001,Ana,", line, "b,600111002,Ben,")
    done = read_file(store, path)
    assert (done.added, done.rejected) == (2, 1)
    assert [lead.key for lead in of_list(store)] == ["a", "b"]
    ((told_line, told_reason),) = rejected(path)
    assert told_line == 3 and reason in told_reason


@pytest.mark.parametrize(
    ("head", "cells", "reason"),
    [
        ("number,priority", "600111222,high", "priority: a whole number"),
        ("number,priority", "600111222,1001", "priority: a whole number"),
        ("number,time_zone", "600111222,Mars/Olympus", "there is no time zone"),
        ("number,consent", "600111222,calls", "a consent counts only with its date"),
        ("number,consent,consent_date", "600111222,perhaps,2026-05-03", "consent: calls or automatic"),
        ("number,consent_date", "600111222,2026-05-03", "not what was consented to"),
        ("number,consent,consent_date", "600111222,calls,3 May", "a date as 2026-05-03"),
        ("number,consent,consent_date,consent_until", "600111222,calls,2026-05-03,2026-05-02", "ends before it was given"),
    ],
)
def test_a_cell_that_says_nothing_sensible_rejects_its_row(
    store: Store, tmp_path: Path, head: str, cells: str, reason: str
) -> None:
    path = a_file(tmp_path, cells, head=head + "\n")
    assert read_file(store, path).rejected == 1
    assert reason in rejected(path)[0][1]


def test_lines_are_those_of_the_file_also_behind_rows_of_several_lines(store: Store, tmp_path: Path) -> None:
    path = a_file(tmp_path, 'a,600111001,"Eva\n\nLuna",', "", "b,nothing,,", 'c,600111003,"x', "d,600111004,,")
    done = read_file(store, path)
    assert [(lead.key, lead.line, lead.name) for lead in of_list(store)] == [("a", 2, "Eva Luna"), ("d", 8, "")]
    assert [line for line, _ in rejected(path)] == [6, 7]
    assert done.line == 9


def test_other_encodings_and_separators(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "spanish.csv"
    path.write_bytes("Teléfono;name\n600111222;Íñigo\n".encode("latin-1"))
    read_file(store, path, encoding="latin-1", given={"number": "Teléfono"})
    assert of_list(store)[0].name == "Íñigo"
    with_bom = tmp_path / "bom.csv"
    with_bom.write_bytes(b"\xef\xbb\xbfnumber\tname\n600111223\tEva\n600111224\t\xe9\n")
    assert read_file(store, with_bom, name="other").rejected == 1
    assert "0xe9, is not utf-8" in with_bom.with_suffix(".rejected").read_text()


@pytest.mark.parametrize(
    ("head", "given", "says"),
    [
        ("tel,name", {}, "no column has the number"),
        ("tel,name", {"number": "phone"}, "there is no column 'phone'"),
        ("number,Number", {}, "two columns say number"),
        ("number,name", {"number": "name"}, "two columns say"),
    ],
)
def test_columns_that_say_nothing_are_refused(
    store: Store, tmp_path: Path, head: str, given: dict[str, str], says: str
) -> None:
    if "two columns say" in says and given:
        given = {"number": "name", "key": "name"}
        says = "a column is given two meanings"
    with pytest.raises(BadLead, match=says):
        read_file(store, a_file(tmp_path, head=head + "\n"), given=given)


# --- duplicates -----------------------------------------------------------------------------------------------------------
def test_who_is_there_twice_is_rejected(store: Store, tmp_path: Path) -> None:
    a_list(store, a_lead(1, key="old"))
    lines = [f"x,{number(2)},,", f"x,{number(3)},,", f"y,{number(2)},,", f"z,{number(1)},,", f"old,{number(4)},,"]
    path = a_file(tmp_path, *lines)
    done = read_file(store, path)
    assert (done.added, done.rejected) == (1, 4)
    assert [line for line, _ in rejected(path)] == [3, 4, 5, 6]
    assert "the key x is in the list already (line 2)" in rejected(path)[0][1]
    assert f"{number(2)} is in the list already (line 2)" in rejected(path)[1][1]
    assert f"{number(1)} is in the list already (lead 1)" in rejected(path)[2][1]


def test_who_is_there_twice_is_changed(store: Store, tmp_path: Path) -> None:
    a_list(store, a_lead(1, key="a", name="Ana", fields={"city": "Jaén", "pet": "cat"}, priority=7))
    path = a_file(tmp_path, f"a,{number(2)},,Cádiz", f"b,{number(3)},Ben,", f"b,{number(3)},Benito,", f"c,{number(1)},Carl,")
    done = read_file(store, path, rules=Rules(duplicates=Duplicates.UPDATE))
    assert (done.added, done.updated, done.rejected) == (1, 2, 1)
    ana, ben = of_list(store)
    assert (ana.name, ana.fields, ana.priority) == ("Ana", {"city": "Cádiz", "pet": "cat"}, 7)
    assert [each.e164 for each in ana.numbers] == [number(1), number(2)]
    assert ben.name == "Benito"
    assert f"{number(1)} is in the list already" in rejected(path)[0][1], "another lead's number, under another key"


def test_numbers_may_be_there_twice_if_asked_and_keys_never(store: Store, tmp_path: Path) -> None:
    path = a_file(tmp_path, f"a,{number(1)},,", f"b,{number(1)},,", f"a,{number(2)},,")
    done = read_file(store, path, rules=Rules(duplicates=Duplicates.ALLOW))
    assert (done.added, done.rejected) == (2, 1)


def test_other_lists_count_only_if_asked(store: Store, tmp_path: Path) -> None:
    a_list(store, a_lead(1), name="autumn")
    path = a_file(tmp_path, f"a,{number(1)},,", f"b,{number(2)},,")
    assert read_file(store, path, rules=Rules(across=True)).rejected == 1
    assert f"{number(1)} is in the list autumn" in rejected(path)[0][1]
    assert read_file(store, path, name="winter", rejects=tmp_path / "other").rejected == 0


# --- killed ---------------------------------------------------------------------------------------------------------------
def a_mixed_file(folder: Path, rows: int = 95) -> Path:
    """Every seventh row has no number; every eleventh is there twice."""
    lines = []
    for each in range(rows):
        if each % 7 == 3:
            lines.append(f"k{each},none,,")
        elif each % 11 == 5:
            lines.append(f"k{each},{number(each - 1)},,")
        else:
            lines.append(f'k{each},{number(each)},"Name\n{each}",')
    return a_file(folder, *lines)


def outcome(store: Store, path: Path) -> tuple[list[tuple[str | None, int | None]], str]:
    return [(lead.key, lead.line) for lead in of_list(store)], path.with_suffix(".rejected").read_text()


def test_killed_anywhere_it_goes_on_as_if_nothing_had_been(store: Store, tmp_path: Path) -> None:
    """At each statement of the database in turn."""
    (tmp_path / "whole").mkdir()
    whole = a_mixed_file(tmp_path / "whole")
    read_file(store, whole, name="whole")
    with store.reading() as connection:
        expected = [(lead.key, lead.line) for lead in lead_book.find(connection, lead_book.Wanted(list="whole"), limit=10_000)]
    rejects = whole.with_suffix(".rejected").read_text()
    store.engine.dispose()
    path = a_mixed_file(tmp_path)
    for at in [*range(1, 40), *range(40, 400, 13)]:
        is_killed = _killed(store, path, at)
        read_file(store, path)
        assert outcome(store, path) == (expected, rejects.replace("whole", "spring")), f"killed at statement {at}"
        with store.reading() as connection:
            row = connection.execute(
                select(lead_imports).where(lead_imports.c.file == path.name).order_by(lead_imports.c.list.desc())
            ).first()
        assert row is not None and (row.state, row.added) == ("done", len(expected))
        list(lead_book.purge(store.engine, "spring", state=None, added_before=None))
        path.with_suffix(".rejected").unlink()
        store.engine.dispose()
        if not is_killed:
            return
    raise AssertionError("an import has more statements than that")


def _killed(store: Store, path: Path, at: int) -> bool:
    """An import in a process of its own, which is killed before its statement `at`; False: it came to its end."""
    child = os.fork()
    if not child:
        try:
            count = 0

            def before(*_: object) -> None:
                nonlocal count
                count += 1
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            own = Store(str(store.engine.url))
            event.listen(own.engine, "before_cursor_execute", before)
            read_file(own, path)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    if not os.WIFSIGNALED(status):
        list(lead_book.purge(store.engine, "spring", state=None, added_before=None))
        path.with_suffix(".rejected").unlink()
        return False
    return True


def test_a_file_that_was_read_is_read_again_only_if_asked(store: Store, tmp_path: Path) -> None:
    path = a_file(tmp_path, f"a,{number(1)},,")
    read_file(store, path)
    with pytest.raises(MayNotImport, match="--again"):
        read_file(store, path)
    assert read_file(store, path, again=True).rejected == 1
    assert read_file(store, path, name="autumn", rejects=tmp_path / "r").added == 1


def test_it_goes_on_only_with_the_same_options(store: Store, tmp_path: Path) -> None:
    path = a_mixed_file(tmp_path)

    def stop(now: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_file(store, path, told=stop)
    with pytest.raises(MayNotImport, match="with other options"):
        read_file(store, path, rules=Rules(duplicates=Duplicates.UPDATE))
    done = read_file(store, path)
    assert done.went_on and done.added == len(of_list(store))


def test_rejects_are_not_written_over_what_is_there(store: Store, tmp_path: Path) -> None:
    path = a_file(tmp_path, "a,nothing,,")
    path.with_suffix(".rejected").write_text("mine")
    with pytest.raises(MayNotImport, match="is there already"):
        read_file(store, path)
    assert path.with_suffix(".rejected").read_text() == "mine"


def test_two_imports_of_one_file_at_a_time_are_one(store: Store, tmp_path: Path) -> None:
    path = a_mixed_file(tmp_path)
    seen = []

    def meanwhile(now: Progress) -> None:
        if not seen:
            seen.append(now)
            read_file(store, path)

    with pytest.raises(MayNotImport, match="another import of this file"):
        read_file(store, path, told=meanwhile)
    keys = [lead.key for lead in of_list(store)]
    assert len(keys) == len(set(keys)) == len(a_mixed_numbers())


def a_mixed_numbers() -> list[int]:
    there: list[int] = []
    for each in range(95):
        if each % 7 != 3 and not (each % 11 == 5 and each - 1 in there):
            there.append(each - 1 if each % 11 == 5 else each)
    return there


# --- hostile --------------------------------------------------------------------------------------------------------------
def test_the_memory_does_not_grow_with_the_file(store: Store, tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = a_file(tmp_path, *(f"k{each},{number(each)},{'n' * 100}," for each in range(rows)), name=f"{rows}.csv")
        tracemalloc.start()
        read_file(store, path, name=f"list-{rows}", batch=100, rules=Rules(duplicates=Duplicates.ALLOW))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(200)  # what is made once
    small, large = peak(400), peak(4000)
    assert large < small * 1.3 + 200_000


def test_chance_writes_files_and_nothing_breaks(store: Store, tmp_path: Path) -> None:
    """Bytes by chance, many of them quotes and line ends: each line is in the list, or among the rejected ones, or empty."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for round_ in range(30):
        content = bytes(chance.choice(b'",;\r\n+346001112 a\x00\xc3\xa9') for _ in range(chance.randrange(3000)))
        path = tmp_path / f"{round_}.csv"
        path.write_bytes(b"number,name\n" + content)
        done = read_file(store, path, name=f"list-{round_}")
        assert done.bytes <= path.stat().st_size, f"seed {seed}"
        assert done.added == len(of_list(store, f"list-{round_}")), f"seed {seed}"


def test_quotes_that_never_end_cost_a_line_each(store: Store, tmp_path: Path) -> None:
    path = a_file(
        tmp_path, *(f'k{each},{number(each)},"open,' if each % 2 else f"k{each},{number(each)},," for each in range(400))
    )
    done = read_file(store, path, batch=1000)
    # a quote that opens one line closes at the next: what is between them is no row, and costs its own line only
    assert done.added >= 200 and done.added + done.rejected == 400
