"""Look-ups in the settings: what the edges get, and every mistake with its place and its mend."""

import re
from pathlib import Path

import pytest

from ccserver.config import ConfigurationRejected, check, load
from ccserver.config.difference import difference
from ccserver.config.look_up_edges import (
    RETRY_PAUSE_S,
    BreakerRules,
    HttpLookUp,
    HttpMethod,
    LookUpDatabase,
    PythonLookUp,
    SqlLookUp,
)
from ccserver.config.sql_text import read_statement
from ccserver.core.expressions import ValueType
from ccserver.core.settings import LookUpShape
from ccserver.lookups.http import ANSWER_MAX_BYTES
from ccserver.lookups.sql import CONNECTIONS_MAX
from ccserver.lookups.systems import HTTP_THREADS, WAITING_MAX

GUIDE = Path(__file__).parents[3] / "docs/look-ups.md"
T, N = ValueType.TEXT, ValueType.NUMBER
CENTER = (Path(__file__).parent / "center.yaml").read_text()
GOOD = """
databases:
  shop: {url: "sqlite:////srv/shop/shop.db"}
  books: {url: "postgresql+psycopg://cc@db/books", password_file: books.password}
look_ups:
  orders:
    sql: |
      select status, amount
      from orders where number = :order;
    database: shop
    parameters: {order: text}
    gives: {status: text, amount: number}
    timeout_s: 2
  debts: {sql: select sum(amount) as total from debts where customer = :customer, database: books, parameters: {customer: number}}
  customer:
    http: https://crm.example.com/customers
    parameters: {number: text}
    gives: {name: text, address.city: text}
    token_file: crm.token
    headers: {X-Site: madrid}
    timeout_s: 1.5
    tries: 3
    breaker: {failures: 2, rest_s: 10}
  card: {http: "http://127.0.0.1:8080/check", method: post, parameters: {secret: text}, gives: {token: text}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, secret in (
        ("ami.secret", "a-good-secret"),
        ("agi.secret", "a-good-secret"),
        ("books.password", "p@ss word"),
        ("crm.token", "eyJhbGciOi.J9+/" + "x" * 600 + "=="),
    ):
        (tmp_path / name).write_text(f"{secret}\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(more: str) -> Path:
    Path("c.yaml").write_text(CENTER + more.lstrip("\n"))
    return Path("c.yaml")


def told(more: str) -> list[str]:
    """All problems of the center with `more` after its last line, the lines counted from there."""
    problems, _ = check(written(more))
    lines = CENTER.count("\n")
    return [f"{each.line - lines}:{each.column}: {each.path}: {each.message}" for each in problems]


def test_the_core_gets_their_shapes_and_the_edge_all_of_them(folder: Path) -> None:
    configuration = load(written(GOOD))

    assert configuration.settings.look_ups == {
        "orders": LookUpShape(parameters={"order": T}, gives={"status": T, "amount": N}, longest_s=2.5),
        "debts": LookUpShape(parameters={"customer": N}, gives={}, longest_s=3.5),
        "customer": LookUpShape(parameters={"number": T}, gives={"name": T, "address.city": T}, longest_s=5.5),
        "card": LookUpShape(parameters={"secret": T}, gives={"token": T}, longest_s=6.75),
    }
    edges = configuration.edges
    assert edges.databases == {
        "shop": LookUpDatabase(url="sqlite:////srv/shop/shop.db"),
        "books": LookUpDatabase(url="postgresql+psycopg://cc:p%40ss%20word@db/books"),
    }
    assert edges.look_ups["orders"] == SqlLookUp(  # type: ignore[index]
        sql="select status, amount\nfrom orders where number = :order",
        database="shop",
        parameters={"order": T},
        gives={"status": T, "amount": N},
        timeout_s=2.0,
    )
    customer = edges.look_ups["customer"]  # type: ignore[index]
    assert customer == HttpLookUp(
        url="https://crm.example.com/customers",
        token=Path("crm.token").read_text().strip(),
        headers={"X-Site": "madrid"},
        parameters={"number": T},
        gives={"name": T, "address.city": T},
        timeout_s=1.5,
        tries=3,
        breaker=BreakerRules(failures=2, rest_s=10.0),
    )
    card = edges.look_ups["card"]  # type: ignore[index]
    assert isinstance(card, HttpLookUp)
    assert (card.method, card.tries) == (HttpMethod.POST, 2)
    assert "eyJ" not in repr(configuration) and "p%40ss" not in repr(edges)


def test_a_function_is_asked_once(folder: Path) -> None:
    Path("scripts").mkdir(mode=0o700)
    Path("scripts/risk.py").write_text("def score(call):\n    return {}\n")
    edges = load(written("scripts_dir: scripts\nlook_ups: {risk: {python: risk.score, gives: {score: number}}}\n")).edges
    assert edges.look_ups == {"risk": PythonLookUp(function="risk.score", gives={"score": N})}


def test_a_reload_changes_them_without_a_restart_and_shows_no_secret(folder: Path) -> None:
    before = load(written(GOOD))
    Path("crm.token").write_text("another-token")
    after = load(written(GOOD.replace("timeout_s: 2\n", "timeout_s: 4\n").replace("/srv/shop/", "/srv/other/")))
    change = difference(before, after)
    assert change.refused == ()
    assert change.changes == (
        "look_ups.orders.timeout_s: 2 -> 4",
        "look_ups.customer.token: another one (not shown)",
        "databases.shop.url: another one (not shown)",
        "look_ups.orders.longest_s: 2.5 -> 4.5",
    )


SQL = "look_ups: {a: {database: d, %s}}\ndatabases: {d: {url: 'sqlite:////d.db'}}"
HTTP = "look_ups: {a: {http: 'https://crm.example.com/', %s}}"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            SQL % "sql: 'select 1 where x = :ordr', parameters: {order: text}",
            [
                "1:29: look_ups.a.sql: expected the parameters of the look-up, got :ordr (did you mean :order?)",
                '1:75: look_ups.a.parameters.order: expected a parameter that stands in the sql, got "order" (write :order there)',
            ],
        ),
        (
            SQL % "sql: 'select :x'",
            ["1:29: look_ups.a.sql: expected the parameters of the look-up, got :x (add x: text to parameters)"],
        ),
        (
            SQL % "sql: 'select 1; select 2'",
            [
                "1:34: look_ups.a.sql: expected a statement that selects, with :name for each parameter, got more than one statement "
                "(keep one)"
            ],
        ),
        (
            SQL % "sql: delete from orders",
            [
                "1:34: look_ups.a.sql: expected a statement that selects, with :name for each parameter, got 'delete' at its beginning "
                "(a look-up reads: begin with select or with)"
            ],
        ),
        (
            SQL % "sql: 'select 1 -- one'",
            [
                "1:34: look_ups.a.sql: expected a statement that selects, with :name for each parameter, got a comment "
                "(write it above the look-up, after #)"
            ],
        ),
        (
            "look_ups: {a: {sql: select 1, database: shp}}\ndatabases: {shop: {url: 'sqlite:////d.db'}}",
            ['1:41: look_ups.a.database: expected the name of a database, got "shp" (did you mean shop?)'],
        ),
        (
            SQL % "sql: 'select :n', parameters: {n: txt}",
            ['1:63: look_ups.a.parameters.n: expected one of text, number, truth, got "txt" (did you mean text?)'],
        ),
        (
            SQL % "sql: select 1, gives: {'a b': text}",
            [
                '1:52: look_ups.a.gives.a b: expected a name of letters, digits and _, got "a b" (for example order)',
            ],
        ),
        (
            "look_ups: {a: {http: 'crm.example.com'}}",
            ['1:22: look_ups.a.http: expected an address, got "crm.example.com" (https://crm.example.com/customers)'],
        ),
        (
            "look_ups: {a: {http: 'https://crm.example.com:99999/'}}",
            ['1:22: look_ups.a.http: expected an address, got "https://crm.example.com:99999/" (Port out of range 0-65535)'],
        ),
        (
            HTTP % "token: abc",
            [
                '1:50: look_ups.a.token: expected a key of a look-up by HTTP, got "token" '
                "(secrets are never written here: name a file with token_file)"
            ],
        ),
        (
            HTTP % "parameters: {secret: text}",
            [
                "1:63: look_ups.a.parameters.secret: expected method: post with a parameter secret, got get "
                "(an address is logged by many, a body by few)"
            ],
        ),
        (
            HTTP % "method: post, parameters: {secret: number}",
            ["1:77: look_ups.a.parameters.secret: expected the type text, got another (digits may begin with 0)"],
        ),
        (
            HTTP % "headers: {Authorization: abc}",
            [
                '1:60: look_ups.a.headers.Authorization: expected a header, got "Authorization" '
                "(choose another: ccserver says it itself, from token_file)"
            ],
        ),
        (
            HTTP % "ca_file: ami.secret",
            [
                '1:50: look_ups.a.ca_file: expected a file of certificates (PEM), got "FOLDER/ami.secret" that is none, '
                "or cannot be read"
            ],
        ),
        (
            HTTP % "timeout_s: 0",
            ["1:61: look_ups.a.timeout_s: expected seconds from 0.1 to 60, got 0"],
        ),
        (
            "look_ups: {a: {python: risk}}",
            [
                '1:24: look_ups.a.python: expected a function of scripts_dir, got "risk" (module.function, for example risk.score)'
            ],
        ),
        (
            "look_ups: {a: {url: x}}",
            ['1:15: look_ups.a: expected a look-up with one of the keys sql, http, python, records, got "url"'],
        ),
        (
            SQL % "sql: select 1, http: 'https://x/'",
            [
                "1:44: look_ups.a: expected a look-up with one of the keys sql, http, python, records, got sql and http (keep one of them)"
            ],
        ),
        (
            "databases: {d: {url: 'mysql://x/y'}}",
            [
                "1:22: databases.d.url: expected a database URL, got a text that is not shown here "
                "(sqlite:////srv/shop/shop.db or postgresql+psycopg://ccserver@dbhost/shop)"
            ],
        ),
        (
            "databases: {d: {url: 'postgresql+psycopg://cc:geheim@db/y'}}",
            ["1:17: databases.d.url: expected a URL without password, got one with it (put it into a file: password_file)"],
        ),
        (
            "databases: {d: {url: 'sqlite:////d.db', password_file: books.password}}",
            ["1:41: databases.d.password_file: expected it with a PostgreSQL URL only, got it with SQLite (remove it)"],
        ),
    ],
)
def test_what_is_wrong_and_what_to_do(folder: Path, more: str, problem: list[str]) -> None:
    assert [each.replace(str(folder), "FOLDER") for each in told(more + "\n")] == problem


def test_a_token_that_no_header_carries_is_refused_and_not_shown(folder: Path) -> None:
    Path("crm.token").write_text("two words")
    with pytest.raises(ConfigurationRejected) as rejected:
        load(written(GOOD))
    (problem,) = rejected.value.problems
    assert problem.path == "look_ups.customer.token_file"
    assert problem.message.startswith("expected one word of at most 4096 characters in ")
    assert "two words" not in problem.message


def test_what_works_but_is_hardly_meant(folder: Path) -> None:
    more = (
        "databases: {d: {url: 'sqlite:////d.db'}}\n"
        "look_ups: {a: {http: 'http://crm.example.com/', token_file: crm.token, ca_file: none.pem}}\n"
    )
    _, warnings = check(written(more))
    assert [(each.path, each.message.replace(str(folder), "FOLDER")) for each in warnings] == [
        ("databases.d", "expected a database that a look-up reads, got one that none does"),
        ("look_ups.a.http", "expected https, got http (its token and secrets go over the network in the clear)"),
        ("look_ups.a.ca_file", 'expected a file of certificates (PEM), got "FOLDER/none.pem": there is no such file'),
    ]


def test_the_guide_shows_settings_that_are_good(folder: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    Path("scripts").mkdir(mode=0o700)
    Path("scripts/risk.py").write_text("def score(call):\n    return {}\n")
    assert told(f"scripts_dir: scripts\n{shown}") == []
    for number in (
        RETRY_PAUSE_S,
        f"HTTP {HTTP_THREADS}",
        f"database {CONNECTIONS_MAX}",
        f"{WAITING_MAX} places",
        ANSWER_MAX_BYTES // 1024,
    ):
        assert str(number) in GUIDE.read_text()


# --- the statement ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select a from b where c = :c", ("c",)),
        ("SELECT :a, :b_2, :a", ("a", "b_2", "a")),
        ("with x as (select 1) select * from x;  \n", ()),
        ("select ':no', \":no\", `:no`, 'it''s :no', x::text, '12:30' where t = :t", ("t",)),
        ("select a[1:2], m:n, 10 % :d", ("d",)),
        ("select ';'", ()),
    ],
)
def test_parameters_stand_outside_of_texts(sql: str, names: tuple[str, ...]) -> None:
    statement = read_statement(sql)
    assert statement.names == names
    assert statement.written(lambda name: f":{name}") == sql.rstrip().removesuffix(";")
    for_postgresql = statement.written(lambda name: f"%({name})s", lambda text: text.replace("%", "%%"))
    assert for_postgresql % {name: f":{name}" for name in names} == sql.rstrip().removesuffix(";")


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "  ",
        "insert into a values (1)",
        "selected",
        "select 1; drop table a",
        "select 1;;",
        "select 'open",
        'select "open',
        "select 1 /* :x */",
        "select $$:x$$",
        "select $a$:x$a$",
        "select e'it\\'s :x'",
        "select E'x'",
    ],
)
def test_what_would_be_doubtful_is_refused(sql: str) -> None:
    with pytest.raises(ValueError):
        read_statement(sql)
