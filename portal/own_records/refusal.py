"""Why a change of a customer or an invoice is not made."""


class NotAllowed(ValueError):
    """The change is refused; str() is a sentence, `field` the form field to look at."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field
