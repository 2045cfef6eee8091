"""The checksums against formulations of their own, and the mistakes that each of them promises to find."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ccserver.core.checksums import LENGTHS, Checksum, completed, dni_letter, is_valid

MANY = settings(max_examples=200, deadline=None, derandomize=True)
DOUBLED = "0246813579"
"""The digit sum of the double of each digit."""


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


def luhn_digit(payload: str) -> str:
    """From the left of the payload's end: every other digit by the table."""
    total = sum(int(DOUBLED[int(d)] if place % 2 == 0 else d) for place, d in enumerate(payload[::-1]))
    return str(-total % 10)


def cpf_digits(payload: str) -> str:
    """By rising weights, the remainder itself: 1…9 for the first, 0…9 for the second; 10 is written 0."""
    first = sum(int(d) * weight for weight, d in enumerate(payload, 1)) % 11 % 10
    return f"{first}{sum(int(d) * weight for weight, d in enumerate(payload + str(first))) % 11 % 10}"


def cnpj_digits(payload: str) -> str:
    """Likewise, with weights that rise from right to left after the last digit's 9 falls by one each, and begin again after 2."""
    for _ in range(2):
        payload += str(sum(int(d) * (9 - place % 8) for place, d in enumerate(payload[::-1])) % 11 % 10)
    return payload[-2:]


def partita_iva_digit(payload: str) -> str:
    """The decree's words: the odd places, and the even ones doubled, less 9 where that is above 9."""
    odd = sum(int(d) for d in payload[0::2])
    even = sum(2 * int(d) - (9 if int(d) > 4 else 0) for d in payload[1::2])
    return str((10 - (odd + even) % 10) % 10)


def is_uniform(number: str) -> bool:
    return len(set(number)) == 1


def with_other_digit(number: str, place: int, step: int) -> str:
    """One digit mistyped."""
    place %= len(number)
    return number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]


PLACE, STEP = st.integers(0, 18), st.integers(1, 9)
CARDS = (
    st.text("0123456789", min_size=1, max_size=18).filter(lambda payload: payload.strip("0")).map(lambda p: p + luhn_digit(p))
)
CPFS = digits(9).map(lambda payload: payload + cpf_digits(payload)).filter(lambda number: not is_uniform(number))
CNPJS = digits(12).map(lambda payload: payload + cnpj_digits(payload)).filter(lambda number: not is_uniform(number))
PARTITE_IVA = digits(10).filter(lambda payload: payload.strip("0")).map(lambda payload: payload + partita_iva_digit(payload))
COMPUTED = {
    Checksum.LUHN: CARDS,
    Checksum.CPF: CPFS,
    Checksum.CNPJ: CNPJS,
    Checksum.PARTITA_IVA: PARTITE_IVA,
    Checksum.DNI: digits(8),
}


@MANY
@given(st.sampled_from(Checksum).flatmap(lambda of: st.tuples(st.just(of), COMPUTED[of])))
def test_a_number_with_its_computed_digits_is_valid(given_: tuple[Checksum, str]) -> None:
    checksum, number = given_
    assert is_valid(checksum, number)


@MANY
@given(CARDS, PLACE, STEP)
def test_luhn_finds_each_single_wrong_digit(number: str, place: int, step: int) -> None:
    assert not is_valid(Checksum.LUHN, with_other_digit(number, place, step))


@MANY
@given(CARDS, PLACE)
def test_luhn_finds_two_neighbours_that_changed_places_but_for_0_and_9(number: str, place: int) -> None:
    place %= len(number) - 1
    one, two = number[place], number[place + 1]
    swapped = number[:place] + two + one + number[place + 2 :]
    assert is_valid(Checksum.LUHN, swapped) is (one == two or {one, two} == {"0", "9"})


@MANY
@given(PARTITE_IVA, PLACE, STEP)
def test_partita_iva_finds_each_single_wrong_digit(number: str, place: int, step: int) -> None:
    assert not is_valid(Checksum.PARTITA_IVA, with_other_digit(number, place, step))


@MANY
@given(st.one_of(st.tuples(st.just(Checksum.CPF), CPFS), st.tuples(st.just(Checksum.CNPJ), CNPJS)), PLACE, STEP)
def test_cpf_and_cnpj_find_each_single_wrong_digit_unless_a_control_digit_is_0(
    given_: tuple[Checksum, str], place: int, step: int
) -> None:
    """A remainder of 10 is written 0, like 0 itself: only there can a wrong digit look right."""
    checksum, number = given_
    wrong = with_other_digit(number, place, step)
    is_control = place % len(number) >= len(number) - 2
    if is_control or "0" not in number[-2:]:
        assert not is_valid(checksum, wrong)


@MANY
@given(st.sampled_from([(Checksum.CPF, 9), (Checksum.CNPJ, 12)]).flatmap(lambda of: st.tuples(st.just(of[0]), digits(of[1]))))
def test_each_number_has_one_pair_of_control_digits(given_: tuple[Checksum, str]) -> None:
    checksum, payload = given_
    good = [pair for pair in range(100) if is_valid(checksum, f"{payload}{pair:02d}")]
    computed = cpf_digits(payload) if checksum is Checksum.CPF else cnpj_digits(payload)
    assert good == ([] if is_uniform(payload + computed) else [int(computed)])


@MANY
@given(st.sampled_from(Checksum), st.text(max_size=20) | st.text("0123456789", max_size=20) | st.text("٠١٢٣²½", max_size=14))
def test_no_other_text_is_a_number_and_none_raises(checksum: Checksum, text: str) -> None:
    is_typed = text != "" and all(c in "0123456789" for c in text)
    length = LENGTHS.get(checksum)
    if not is_typed or (length is not None and len(text) != length):
        assert not is_valid(checksum, text)
    else:
        assert is_valid(checksum, text) in (True, False)


@MANY
@given(digits(8))
def test_the_letter_of_a_dni_changes_with_each_digit(number: str) -> None:
    assert completed(Checksum.DNI, number) == number + dni_letter(number)
    for place in range(8):
        for step in range(1, 10):
            assert dni_letter(with_other_digit(number, place, step)) != dni_letter(number)


def test_numbers_that_were_published_as_examples() -> None:
    assert dni_letter("12345678") == "Z"
    assert dni_letter("00000000") == "T"
    assert is_valid(Checksum.LUHN, "4111111111111111")
    assert is_valid(Checksum.LUHN, "79927398713")
    assert is_valid(Checksum.CPF, "52998224725")
    assert is_valid(Checksum.CNPJ, "11222333000181")
    assert is_valid(Checksum.PARTITA_IVA, "00743110157")
