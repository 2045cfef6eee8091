"""The customers' file: what a spreadsheet writes, and what is told of a file that is wrong."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccserver.config import customers as customers_file
from ccserver.config.customers import MAX_BYTES, Known, read_customers
from ccserver.config.positions import MAX_PROBLEMS, Mark, is_control
from ccserver.config.schema import Reader
from ccserver.core.settings import CustomerSettings, HasSkill

HEAD = "number,name,owner,language,requires,priority\n"
KNOWN = Known("ES", frozenset({"101", "102"}), frozenset({"en", "es"}))


def read(folder: Path, content: bytes | str) -> tuple[dict[str, CustomerSettings], list[str], Reader]:
    path = folder / "customers.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    reader = Reader(marks={(): Mark("c.yaml", 1, 1), ("customers_file",): Mark("c.yaml", 7, 1)})
    customers = read_customers(path, ("customers_file",), KNOWN, reader)
    return customers, [str(each).removeprefix(f"{path}:") for each in reader.problems], reader


def test_a_customer_is_what_the_line_says(tmp_path: Path) -> None:
    line = '+34600111222,"Acme, ""the"" company",101,es,vip >= 50,5\n'
    customers, problems, reader = read(tmp_path, HEAD + line + "+34600111223,,,,,\n")
    assert problems == []
    assert customers == {
        "+34600111222": CustomerSettings(
            name='Acme, "the" company',
            owner="101",  # type: ignore[arg-type]
            language="es",  # type: ignore[arg-type]
            requires=HasSkill("vip", 50),  # type: ignore[arg-type]
            priority=5,
        ),
        "+34600111223": CustomerSettings(),
    }
    assert [(use.name, use.mark.line) for use in reader.uses] == [("vip", 2)]


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("number\n+34600111222\n", ["+34600111222"]),
        ("number\n600 111 222\n", ["+34600111222"]),  # as one writes it in that country
        ("\ufeffname;number\r\nAcme;+34600111222\r\n\r\n", ["+34600111222"]),  # as a spreadsheet in Europe writes it
        ("NUMBER, Name\n+34600111222 , Acme", ["+34600111222"]),
        ("number\n", []),
    ],
)
def test_files_come_in_several_forms(tmp_path: Path, content: str, numbers: list[str]) -> None:
    customers, problems, _ = read(tmp_path, content)
    assert (list(customers), problems) == (numbers, [])


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (
            HEAD + "+34600111222,Acme,109,fr,vip and,11\n",
            [
                '2:19: customers_file.owner: expected the name of an agent, got "109" (did you mean 102?)',
                '2:23: customers_file.language: expected the name of a language, got "fr" (define it under languages)',
                '2:33: customers_file.requires: expected a skill after "and", got nothing (name a skill, or remove "and")',
                "2:34: customers_file.priority: expected a whole number from 0 to 10, got 11",
            ],
        ),
        (
            "number,name\n12,A\n,B\nbob,C\n",
            [
                '2:1: customers_file.number: expected a telephone number, got "12" (for example +34600111222)',
                "3:1: customers_file.number: expected a telephone number, got nothing (for example +34600111222)",
                '4:1: customers_file.number: expected a telephone number, got "bob" (for example +34600111222)',
            ],
        ),
        (
            "name,number\nA,+34600111222\nB,600111222\n",
            ["3:3: customers_file.number: expected each number once, got +34600111222 again (the first is in line 2)"],
        ),
        (
            "number,name\n+34600111222,Acme, Inc\n",
            [
                "2:1: customers_file: expected 2 cells as in the first line, got 3 (put a cell that holds the separator in quotes)"
            ],
        ),
        ("number,nam\n", ['1:8: customers_file: expected a column of customers, got "nam" (did you mean name?)']),
        ("number,name,number\n", ['1:13: customers_file: expected each column once, got "number" again (remove it)']),
        (
            "name\nAcme\n",
            [
                "1:1: customers_file: expected a column number, got name "
                "(the first line names the columns: number,name,owner,language,requires,priority)"
            ],
        ),
        (
            "",
            [
                "1:1: customers_file: expected a column number, got an empty file "
                "(the first line names the columns: number,name,owner,language,requires,priority)"
            ],
        ),
        (b"number\n+34\xff", ["2:4: customers_file: expected UTF-8, got the byte 0xff (save the file as UTF-8)"]),
        (
            "number,name\n+34600111222,A\x1b[31m\n",
            ["2:14: customers_file.name: expected a customer's name, got the control character U+001B (remove it)"],
        ),
        (
            "number,name\n+34600111222," + "x" * 81,
            ["2:14: customers_file.name: expected a customer's name of at most 80 characters, got 81 (shorten it)"],
        ),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(tmp_path: Path, content: str | bytes, problems: list[str]) -> None:
    assert read(tmp_path, content)[1] == problems


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 500
    monkeypatch.setattr(customers_file, "MAX_ROWS", most)
    rows = "".join(f"+346{number:08d},Customer {number},101,en,vip >= 50,5\n" for number in range(most))
    customers, problems, _ = read(tmp_path, HEAD + rows)
    assert (len(customers), problems) == (most, [])
    assert read(tmp_path, HEAD + rows + "+34700000000,,,,,\n")[1] == [
        f"{most + 2}:1: customers_file: expected at most {most} customers, got more"
    ]
    large = b"number\n" + b"#" * MAX_BYTES
    assert read(tmp_path, large)[1] == [f"1:1: customers_file: expected a file of at most {MAX_BYTES} bytes, got more"]
    assert len(read(tmp_path, "number\n" + "x\n" * 5000)[1]) == MAX_PROBLEMS


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet='",;\n\r+3460011122 ax\x00', max_size=80) | st.text(max_size=60), st.booleans())
def test_whatever_is_in_the_file_is_read_or_told(tmp_path: Path, text: str, is_below_a_head: bool) -> None:
    customers, problems, _ = read(tmp_path, (HEAD if is_below_a_head else "") + text)
    assert all(number.startswith("+") and number[1:].isdigit() for number in customers)
    assert not any(is_control(character) for problem in problems for character in problem)
