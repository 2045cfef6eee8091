"""The numbers that carry their own proof: cards, tax numbers, identity cards. Pure; the source of each rule stands with it."""

from collections.abc import Callable, Mapping
from enum import Enum

DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


class Checksum(Enum):
    LUHN = "luhn"  # payment cards, IMEI
    CPF = "cpf"  # Brazil, persons: 11 digits
    CNPJ = "cnpj"  # Brazil, companies: 14 digits
    PARTITA_IVA = "partita_iva"  # Italy, companies: 11 digits
    DNI = "dni"  # Spain, persons: 8 digits, to which a letter belongs


LENGTHS: Mapping[Checksum, int] = {
    Checksum.CPF: 11,
    Checksum.CNPJ: 14,
    Checksum.PARTITA_IVA: 11,
    Checksum.DNI: 8,
}
"""How many digits are typed; LUHN has no length of its own."""


def is_valid(checksum: Checksum, digits: str) -> bool:
    """Whether typed digits are such a number. A DNI's letter cannot be typed, so every 8 digits are one: the letter is read back."""
    length = LENGTHS.get(checksum)
    if not digits.isascii() or not digits.isdigit() or (length is not None and len(digits) != length):
        return False
    return _RULES[checksum](digits)


def dni_letter(digits: str) -> str:
    """The letter of a DNI: the remainder by 23 as an index (Spain, Ministerio del Interior, "Cálculo del dígito de control del
    NIF/NIE")."""
    return DNI_LETTERS[int(digits) % len(DNI_LETTERS)]


def completed(checksum: Checksum | None, digits: str) -> str:
    """The number as it is kept: a DNI with its letter."""
    return digits + dni_letter(digits) if checksum is Checksum.DNI else digits


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: from the right, every second digit doubled and its digits added; the sum is a multiple of 10."""
    if len(digits) < 2 or not digits.strip("0"):
        return False
    total = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character) * (1 + place % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def _cpf(digits: str) -> bool:
    """Receita Federal: two control digits, weights 10…2 and 11…2, each 11 - (sum mod 11), 0 where that is above 9. Eleven equal
    digits fulfil it and are never given out."""
    if len(set(digits)) == 1:
        return False
    return all(_weighed(digits[:length], range(length + 1, 1, -1)) == int(digits[length]) for length in (9, 10))


def _cnpj(digits: str) -> bool:
    """Receita Federal: as the CPF, with the weights 5…2, 9…2 and 6…2, 9…2."""
    if len(set(digits)) == 1:
        return False
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    return all(_weighed(digits[:length], weights[13 - length :]) == int(digits[length]) for length in (12, 13))


def _weighed(digits: str, weights: "range | list[int]") -> int:
    rest = 11 - sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    return 0 if rest > 9 else rest


def _partita_iva(digits: str) -> bool:
    """D.M. 23 December 1976: Luhn's rule over the eleven digits."""
    return _luhn(digits)


_RULES: Mapping[Checksum, Callable[[str], bool]] = {
    Checksum.LUHN: _luhn,
    Checksum.CPF: _cpf,
    Checksum.CNPJ: _cnpj,
    Checksum.PARTITA_IVA: _partita_iva,
    Checksum.DNI: lambda digits: True,
}
