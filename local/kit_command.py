"""bin/kit: what of the UI kit's style sheet our pages use, and nothing else."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
WHOLE = PROJECT / "local" / "kit" / "tabler-1.6.1.min.css"
CUT = PROJECT / "static" / "kit.css"
OURS = PROJECT / "static" / "portal.css"

CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
OPTIONAL = re.compile(r":(?:not|is|where|has)\((?:[^()]|\([^()]*\))*\)")
PROSE = re.compile(r">[^<>{}\"']*<")
WORD = re.compile(r"[A-Za-z][\w-]*")
READS = re.compile(r"var\((--[\w-]+)")
NESTING = ("@media", "@supports", "@container", "@layer")


def main(_: list[str]) -> None:
    CUT.write_text(cut(), encoding="utf-8")
    print(f"{CUT.relative_to(PROJECT)} is written")


def cut() -> str:
    """The kit's rules whose classes stand in a template or script of ours, with the variables that those read."""
    css = WHOLE.read_text(encoding="utf-8")
    licence = re.search(r"/\*!.*?\*/", css, re.DOTALL)
    rules = [*_kept(re.sub(r"/\*.*?\*/|@charset[^;]*;", "", css, flags=re.DOTALL), words_in_use())]
    rules = _without_unread(rules, OURS.read_text(encoding="utf-8"))
    moved = set(re.findall(r"[\w-]+", " ".join(re.findall(r"animation(?:-name)?:([^;}]*)", "".join(rules)))))
    rules = [rule for rule in rules if not rule.startswith("@keyframes") or _name(rule) in moved]
    return (licence.group() if licence else "") + "\n" + "\n".join(rules) + "\n"


def words_in_use() -> set[str]:
    """Every word of templates and scripts that is not prose: what can be a class."""
    templates = (path.read_text(encoding="utf-8") for path in (PROJECT / "templates").rglob("*.html"))
    scripts = (path.read_text(encoding="utf-8") for path in (PROJECT / "static").glob("*.js"))
    return {
        word
        for text in (*(PROSE.sub("><", one) for one in templates), *scripts)
        for word in WORD.findall(text)
    }


def _kept(css: str, words: set[str]) -> Iterator[str]:
    for head, body in _blocks(css):
        if head.startswith(NESTING):
            inner = "".join(_kept(body, words))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{head}{{{body}}}"
        else:
            selectors = [one for one in _split(head, ",") if _is_used(one, words)]
            if selectors and body:
                yield f"{','.join(selectors)}{{{body}}}"


def _is_used(selector: str, words: set[str]) -> bool:
    needed = OPTIONAL.sub("", selector)
    theme = "[data-bs" in needed  # the portal's own colours know light and dark by themselves
    return not theme and all(name.replace("\\", "") in words for name in CLASS.findall(needed))


def _without_unread(rules: list[str], ours: str) -> list[str]:
    """Variables that nothing reads any more are left out, until all that are left are read."""
    while True:
        read = set(READS.findall("".join(rules) + ours))
        fewer = [_read_only(rule, read) for rule in rules]
        fewer = [rule for rule in fewer if not rule.endswith("{}")]
        if fewer == rules:
            return rules
        rules = fewer


def _read_only(rule: str, read: set[str]) -> str:
    if rule.startswith("@"):
        head, _, inner = rule.partition("{")
        if not head.startswith(NESTING):
            return rule
        inside = (_read_only(f"{one}{{{body}}}", read) for one, body in _blocks(inner[:-1]))
        return f"{head}{{{''.join(one for one in inside if not one.endswith('{}'))}}}"
    head, _, body = rule.partition("{")
    lines = _split(body[:-1], ";")
    kept = [line for line in lines if not line.startswith("--") or line.partition(":")[0] in read]
    return f"{head}{{{';'.join(kept)}}}"


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """`head{body}` one after the other; a body may hold blocks itself."""
    start, at = 0, 0
    while (opening := css.find("{", at)) >= 0:
        end = _closing(css, opening)
        yield css[start:opening].strip(" ;\n"), css[opening + 1 : end]
        start = at = end + 1


def _closing(css: str, opening: int) -> int:
    depth, quote = 0, ""
    for at in range(opening, len(css)):
        sign = css[at]
        if quote:
            quote = "" if sign == quote and css[at - 1] != "\\" else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if not depth:
                return at
    raise ValueError("A block of the style sheet does not end.")


def _split(text: str, by: str) -> list[str]:
    """Parts between signs that stand neither in brackets nor in quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == by and not depth:
            parts.append(text[start:at])
            start = at + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


def _name(rule: str) -> str:
    return rule.partition("{")[0].split()[-1]


if __name__ == "__main__":
    main(sys.argv[1:])
