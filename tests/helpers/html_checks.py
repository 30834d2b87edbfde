"""What a page must hold to be read from disk."""

from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Parses a page; `images`, `links`, `text` and `cells` are what it shows. AssertionError: tags do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.images, self.links, self.texts, self.cells, self.tags = [], [], [], [], []
        self._open = []
        self.feed(source)
        self.close()
        assert not self._open, f"left open: {self._open}"
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        if tag == "img":
            assert values["alt"]
            self.images.append(values["src"])
        if "href" in values:
            self.links.append(values["href"])
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            return
        if self._open and self._open[-1] in ("td", "th"):
            self.cells.append(data)
        self.texts.append(data)
