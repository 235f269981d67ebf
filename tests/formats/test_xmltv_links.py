"""What tells a secret is left out of shows, and what is left is XML still."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kptv.formats.xmltv.links import without_links


def is_secret(text: str) -> bool:
    return "s3cret" in text


def test_links_that_tell_a_secret_are_left_out() -> None:
    xml = (
        b'<title>x</title><icon src="http://p/?u=al&amp;p=s3cret"/><url>http://p/s3cret</url>'
        b'<icon src="http://cdn/1.png" /><image type="poster">http://p/s3cret.jpg</image>'
        b"<url system='a'>http://public/</url>"
    )
    kept = without_links(xml, lambda text: "s3cret" in text)
    assert kept == (
        b"<title>x</title><icon src=\"http://cdn/1.png\" /><url system='a'>http://public/</url>"
    )


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (b'<icon src="http://p/s3cret"><!-- </icon> --></icon>', b""),
        (b'<icon src="http://p/s3cret"><x/>y<icon/></icon>', b""),
        (b'<icon src="/icons/s3cret.png" />', b""),
        (b'<icon src="http://p/x>y?s3cret"/>', b""),
        (b"<icon src='http://p/\"x>?s3cret'/>", b""),
        (b"<url><!-- x -->http://p/s3cret</url>", b""),
        (b'<review type="url">http://p/s3cret</review>', b""),
        (b"<desc>see http://p/s3cret</desc>", b""),
        (b"<credits><actor>X<image>http://p/s3cret</image></actor></credits>",
         b"<credits><actor>X</actor></credits>"),
        (b"<!-- http://p/s3cret --><new/>", b"<new/>"),
        (b"<url/>b<url>http://p/s3cret</url>c", b"<url/>bc"),
        (b"http://p/s3cret<new/>", b"<new/>"),
        (b"<desc>a s3cret</desc><url>http://x</url>", None),
    ],
)  # fmt: skip
def test_elements_go_whole(told: bytes, left: bytes | None) -> None:
    kept = without_links(b"<title>x</title>%b<url>x</url>" % told, is_secret)
    assert kept == b"<title>x</title>%b<url>x</url>" % (told if left is None else left)
    ElementTree.fromstring(b"<tv>%b</tv>" % kept)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_the_value_of_an_attribute_is_looked_at_alone(quote: str) -> None:
    xml = f"<icon src={quote}http://p/?u=tv{quote}/>".encode()
    assert without_links(xml, lambda text: text.split("=")[-1].split(" ")[0] == "tv") == b""
