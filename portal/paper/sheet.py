"""Sheets of paper as a PDF: a font with many scripts, page numbers, text cut to its width, and what could not be drawn."""

from datetime import datetime
from io import BytesIO
from typing import Any

from fpdf import FPDF

from portal.paper import letters

MARGIN, BOTTOM = 18, 24
GREY, LINE_GREY = 95, 205


class Sheet(FPDF):
    """A document whose text is cut to one line, with its foot on every page."""

    def __init__(self, paper: str, title: str, foot: str, at: datetime, files: dict[str, Any]) -> None:
        super().__init__(format=paper)
        self.foot, self.spelled, self.undrawn = "", 0, 0
        for style, file in files.items():
            self.add_font(letters.FAMILY, style, file)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(False)
        self.set_creation_date(at)
        self.foot = self.said(foot)
        self.set_title(self.said(title))

    def footer(self) -> None:
        """Who writes it, and the page of how many."""
        self.looks(8, grey=True)
        self.set_y(-14)
        self.put(self.epw - 40, 4, self.shortened(self.foot, self.epw - 40))
        self.put(40, 4, f"Page {self.page_no()} of {{nb}}", "R")

    @property
    def room(self) -> float:
        """Millimetres down to the foot."""
        return float(self.h - BOTTOM - self.get_y())

    def looks(self, size: float, *, bold: bool = False, grey: bool = False) -> None:
        """Text from now on is of this size, weight and tone."""
        self.set_font(letters.FAMILY, "B" if bold else "", size)
        self.set_text_color(GREY if grey else 0)

    def put(
        self, width: float, height: float, text: str, align: str = "L", *, ends_line: bool = False
    ) -> None:
        """One line of text. Joining its letters takes its time, and is done for scripts that need it."""
        self.set_text_shaping(letters.are_joined(text))
        if ends_line:
            self.cell(width, height, text, align=align, new_x="LMARGIN", new_y="NEXT")
        else:
            self.cell(width, height, text, align=align)

    def paragraph(self, height: float, text: str) -> None:
        """Text over as many lines as it needs."""
        self.set_text_shaping(letters.are_joined(text))
        self.multi_cell(self.epw, height, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def said(self, words: str) -> str:
        """The words as they can be drawn; what cannot is counted in `spelled` and `undrawn`."""
        found = letters.drawable(words)
        self.spelled += found.spelled
        self.undrawn += found.missing
        return found.text

    def shortened(self, text: str, width: float) -> str:
        """Text that fits into the width in the font of the moment, with … for what does not."""
        self.set_text_shaping(letters.are_joined(text))
        if self.get_string_width(text) <= width:
            return text
        low, high = 0, min(len(text), int(width * 4))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._fits(text[:middle], width) else (low, middle - 1)
        return text[:low].rstrip() + "…"

    def _fits(self, text: str, width: float) -> bool:
        return bool(self.get_string_width(text.rstrip() + "…") <= width)

    def line(self, *, dark: bool = False, at: float = 0) -> None:  # type: ignore[override]
        """A rule over the whole width."""
        self.set_draw_color(0 if dark else LINE_GREY)
        self.set_line_width(0.3 if dark else 0.15)
        y = self.get_y() + at
        super().line(self.l_margin, y, self.w - self.r_margin, y)

    def picture(self, png: bytes, width: float, height: float) -> float:
        """A picture at the place of the moment, as large as it fits; its height in millimetres."""
        info = self.image(
            BytesIO(png), x=self.l_margin, y=self.get_y(), w=width, h=height, keep_aspect_ratio=True
        )
        return float(info.rendered_height)
