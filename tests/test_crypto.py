"""Secrets open only at their place and under a key that is configured; pages never repeat a sign of one."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal import crypto

FIRST, SECOND = {"1": b"1" * 32}, {"2": b"2" * 32}
PLACE = crypto.place(7, "integration", "secret", 3)


def test_a_secret_is_read_back_at_its_place_and_nowhere_else() -> None:
    sealed = crypto.encrypt(FIRST, PLACE, "pässword")
    assert crypto.decrypt(FIRST, PLACE, sealed) == "pässword"
    elsewhere = [
        crypto.place(8, "integration", "secret", 3), crypto.place(7, "mail", "secret", 3),
        crypto.place(7, "integration", "other", 3), crypto.place(7, "integration", "secret", 4),
        crypto.persons_place(7, "integration", "secret", 3), "",
    ]  # fmt: skip
    for where in elsewhere:
        with pytest.raises(crypto.DecryptionError, match="does not belong to its place"):
            crypto.decrypt(FIRST, where, sealed)


def test_places_are_written_as_backups_of_years_ago_have_them() -> None:
    assert PLACE == "7/integration/secret/3"
    assert crypto.persons_place(7, "factor", "secret", 3) == "person 7/factor/secret/3"


def test_the_first_key_seals_and_every_key_opens() -> None:
    both = SECOND | FIRST
    assert crypto.encrypt(both, PLACE, "a").startswith(b"2\0")
    assert crypto.decrypt(both, PLACE, crypto.encrypt(FIRST, PLACE, "a")) == "a"
    with pytest.raises(crypto.DecryptionError, match="key version '1' is not in ENCRYPTION_KEYS"):
        crypto.decrypt(SECOND, PLACE, crypto.encrypt(FIRST, PLACE, "a"))


def test_a_version_cannot_be_given_to_another_key() -> None:
    """What was sealed as version 1 does not open as version 2, even where both have the same bytes."""
    sealed = crypto.encrypt(FIRST, PLACE, "a")
    with pytest.raises(crypto.DecryptionError):
        crypto.decrypt({"2": FIRST["1"]}, PLACE, b"2" + sealed[1:])
    with pytest.raises(crypto.DecryptionError, match="is not in ENCRYPTION_KEYS"):
        crypto.decrypt(FIRST, PLACE, b"\xff" + sealed[1:])


def test_what_was_stored_years_ago_opens() -> None:
    """Version, NUL, a nonce of 12 bytes, AES-256-GCM bound to place and version."""
    nonce = b"n" * 12
    sealed = b"1\0" + nonce + AESGCM(FIRST["1"]).encrypt(nonce, b"a secret", f"{PLACE}/1".encode())
    assert crypto.decrypt(FIRST, PLACE, sealed) == "a secret"
    assert len(crypto.encrypt(FIRST, PLACE, "a secret")) == len(sealed)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 14, -1])
def test_what_was_cut_short_does_not_open(cut: int) -> None:
    with pytest.raises(crypto.DecryptionError):
        crypto.decrypt(FIRST, PLACE, crypto.encrypt(FIRST, PLACE, "a secret")[:cut])


def test_no_two_answers_seal_or_mask_alike() -> None:
    assert len({crypto.encrypt(FIRST, PLACE, "a") for _ in range(9)}) == 9
    assert len({crypto.masked("a token") for _ in range(9)}) == 9


def test_a_mask_comes_off_and_other_texts_stay_as_they_are() -> None:
    assert crypto.unmasked(crypto.masked("a token")) == "a token"
    assert "token" not in crypto.masked("a token")
    there = base64.urlsafe_b64encode(b"whatever it is").decode()
    masked = crypto.masked("a token")
    for text in (
        "",
        "a token",
        there,
        f"{masked}!",
        f"{masked[:-4]}!{masked[-4:]}",
        "masked.AAAA",
        "masked.AAA",
        masked[:-1],
    ):
        assert crypto.unmasked(text) == text


def test_a_mask_is_as_long_as_the_text_and_uses_signs_that_an_address_may_hold() -> None:
    for text in ("a", "a token", "x" * 200):
        masked = crypto.masked(text)
        both = base64.urlsafe_b64decode(masked.removeprefix("masked."))
        mask, crossed = both[: len(text)], both[len(text) :]
        assert masked.startswith("masked.")
        assert bytes(a ^ b for a, b in zip(mask, crossed, strict=True)).decode() == text


def test_a_fingerprint_tells_equal_parts_and_no_others() -> None:
    one = crypto.fingerprint("key", "a", "b")
    assert len(one) == 64
    assert one == crypto.fingerprint("key", "a", "b")
    others = [("key", "ab"), ("key", "a", "b", ""), ("key", "b", "a"), ("other", "a", "b"), ("key",)]
    assert one not in {crypto.fingerprint(*other) for other in others}
