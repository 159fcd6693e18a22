"""160 texts that would do harm where text is taken for something else: markup, addresses, formulas, log lines, code.

Each carries the word `zzx`, so that what became of it is found again.
"""

import re

from bs4 import BeautifulSoup

CODE = "alert('zzx')"
ELEMENTS = [
    f"<script>{CODE}</script>", f"<ScRiPt>{CODE}</sCrIpT>", f"<script >{CODE}</script >", "<script src=//zzx.example>",
    f"<img src=x onerror={CODE}>", f'<img src="x" onerror="{CODE}">', f"<img/src=x/onerror={CODE}>",
    f"<svg onload={CODE}>", f"<svg/onload={CODE}>", f"<svg><script>{CODE}</script></svg>",
    f"<svg><animate onbegin={CODE} attributeName=x>", f"<math><mtext><zzx onclick={CODE}>x</zzx></mtext></math>",
    f"<body onload={CODE}>", f"<iframe src=javascript:{CODE}>", "<iframe srcdoc='<script>zzx</script>'>",
    f"<object data=javascript:{CODE}>", "<embed src=//zzx.example>", "<base href=//zzx.example/>",
    "<meta http-equiv=refresh content='0;url=//zzx.example'>", "<link rel=stylesheet href=//zzx.example/x.css>",
    "<style>@import '//zzx.example'</style>", "<style>body{display:none}/*zzx*/</style>",
    "<form action=//zzx.example><input name=zzx><button>Go</button></form>", "<input name=zzx autofocus onfocus=zzx()>",
    f"<details open ontoggle={CODE}>", f"<video><source onerror={CODE}></video>", f"<audio src=x onerror={CODE}>",
    f"<marquee onstart={CODE}>", f"<zzx contenteditable onblur={CODE}>x</zzx>", "<template><zzx></zzx></template>",
    "<noscript><p title='</noscript><zzx>'>", "<title></title><zzx>", "<textarea></textarea><zzx>", "<zzx>", "</zzx>",
    "<!--><zzx>-->", "<!-- --!><zzx>", "<![CDATA[<zzx>]]>", "<?xml zzx?>", "<!DOCTYPE zzx>", "<zzx", "<zzx\n/x>",
    "<<zzx>>", "< zzx>", "<\x0czzx>", "\uff1czzx\uff1e", "&lt;zzx&gt;", "&amp;lt;zzx&amp;gt;", "&#60;zzx&#62;",
    "&#x3c;zzx&#x3e;", "<a href=javascript:zzx>x</a>", "<a href='//zzx.example'>Pay here</a>",
    "<div style=position:fixed;inset:0>zzx</div>", "<p id=main>zzx</p>", "<dialog open>zzx</dialog>",
]  # fmt: skip
CLOSING = [
    '"><zzx>', "'><zzx>", "`><zzx>", '" onmouseover="zzx()', "' onmouseover='zzx()", '" autofocus onfocus="zzx()" x="',
    '"/><zzx x="', "--><zzx>", "]]><zzx>", "</td></tr></table><zzx>", "</option></select><zzx>", "</a><zzx>",
    "</title><zzx>", "</textarea><zzx>", "</script><zzx>", "</style><zzx>", "</template><zzx>", "</main></body><zzx>",
    '" hx-get="/logout" x="zzx', '" hx-trigger="load" hx-post="/you/sessions/end-others" x="zzx', '" style="zzx',
    '" href="javascript:zzx', '" src="//zzx.example', '" formaction="//zzx.example', '" data-poll="zzx',
]  # fmt: skip
ADDRESSES = [
    "javascript:zzx", "JaVaScRiPt:zzx", "java\tscript:zzx", "data:text/html,<zzx>", "vbscript:zzx", "//zzx.example",
    "\\\\zzx.example", "https://zzx.example", "../../../zzx", "..%2f..%2fzzx", "zzx?x=1&y=2#z", "zzx%0d%0aX-Zzx: 1",
    "zzx\r\nX-Zzx: 1", "zzx\nSet-Cookie: a=b", "zzx/../../logout", "zzx;drop", "file:///etc/zzx",
]  # fmt: skip
FORMULAS = [
    "=zzx()", "+zzx()", "-zzx()", "@zzx()", "\t=zzx()", "\r=zzx()", " =zzx()", "\n=zzx()", "\u00a0=zzx()",
    "=HYPERLINK(\"//zzx.example\",\"x\")", "=cmd|' /C zzx'!A0", "=IMPORTXML(\"//zzx.example\")", "+1+cmd|' zzx'!A0",
    "-2+3+cmd|' zzx'!A0", "@SUM(1)*zzx", ";=zzx()", ",=zzx()", '"=zzx()', "'=zzx()", "\uff1dzzx()", "\u200b=zzx()",
    '"",=zzx()', "zzx\n=zzx()", "|zzx", "%0A=zzx()",
]  # fmt: skip
CODES = [
    "{{ 7*191 }} zzx", "{% include 'zzx' %}", "{# zzx #}", "${7*191}zzx", "#{7*191}zzx", "<%= 7*191 %>zzx",
    "{{ config }} zzx", "{{ ''.__class__.__mro__ }} zzx", "%(zzx)s", "%s %n %x zzx", "{zzx}", "{0.__class__}zzx",
    "$(zzx)", "`zzx`", "; zzx", "| zzx", "&& zzx", "zzx\x00", "zzx'; DROP TABLE invoice; --", "zzx' OR '1'='1",
    'zzx" OR ""="', "zzx') UNION SELECT 1 --", "zzx\\", "zzx%' ESCAPE '!", "(a+)+$zzx", "[zzx", "*)(uid=*)zzx",
    "__proto__zzx", "zzx}}", "zzx%}",
]  # fmt: skip
LINES = [
    "zzx\nlevel=error event=payment.recorded", "zzx\r\n{\"event\": \"zzx\"}", "zzx\u2028x", "zzx\u2029x", "zzx\x85x",
    "zzx\x0bx", "zzx\x1b[2Jx", "\u202ezzx",
]  # fmt: skip
HOSTILE_TEXTS = [*ELEMENTS, *CLOSING, *ADDRESSES, *FORMULAS, *CODES, *LINES]
assert len(HOSTILE_TEXTS) == len(set(HOSTILE_TEXTS)) == 160, len(HOSTILE_TEXTS)

LEADING = ("href", "src", "action", "formaction", "hx-get", "hx-post")
OWN = re.compile(
    r"/(?!/)|\?|#|mailto:|tel:|data:image/svg|http://127\.0\.0\.1|https://(ww\w+\.)?autotask\.net|$"
)


def alive(html: str, page: BeautifulSoup) -> list[str]:
    """What of these texts a browser would take for more than text; `page` is the answer as a browser reads it."""
    elements = page.find_all(True)
    found = [
        str(one)[:200] for one in elements if "zzx" in one.name or one.name in ("base", "iframe", "object")
    ]
    found += [
        f"{one.name} {name}"
        for one in elements
        for name in one.attrs
        if name.startswith("on") or "zzx" in name
    ]
    found += [text for text in HOSTILE_TEXTS if set(text[1:]) & set("<>\"'") and text in html]
    for one in elements:
        found += [str(one)[:200] for name in LEADING if not OWN.match(str(one.get(name, "")))]
    return found + re.findall(r"1337 ?zzx", html)
