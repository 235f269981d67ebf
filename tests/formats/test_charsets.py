"""Encodings of names, of which nothing is told: a list of some is enough."""

from __future__ import annotations

from encodings.aliases import aliases
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.charsets import guess_encoding
from kptv.formats.labels import codec_of

NAMES = {
    "cp1251": "Первый канал,Россия 24,НТВ,Пятница!,ТВ Центр,Ёлка,Детский мир,Наука 2.0,Спорт",
    "cp1251 Ukrainian": "Перший канал,Інтер,Новий канал,П’ятий канал,Еспресо,Їжа,Ґражда,Єдині",
    "cp1251 marks": "Погода 24°,Кино… и жизнь,Канал „Дождь“,Телеканал “Мир”,Вкус–кухня,«Спас»",
    "koi8-r": "Первый канал,Россия 24,НТВ,Пятница!,ТВ Центр,Детский мир,Наука 2.0,Новости",
    "koi8-u": "Перший канал,Інтер,Новий канал,Еспресо,Їжа,Єдині новини,Україна,Київ,Піксель",
    "cp866": "Первый канал,Россия 24,НТВ,Пятница!,ТВ Центр,Детский мир,Наука 2.0,Новости",
    "cp1250 Polish": "Łódź TV,Wiadomości,Kuchnia i Życie,Śląsk,Książka,Południe,Pięć,Gdańsk,Świat",
    "cp1250 Czech": "Česká televize,Óčko,Šlágr,Příběhy,Žižkov,Dětský kanál,Říčany,Kino Svět,ČT24",
    "cp1250 Hungarian": "Győr,Tűzoltó,Hírek,Kettő,Külföldi hírek,Gyöngyös,Szórakoztató,Sláger",
    "cp1250 Croatian": "Međimurje,Županja,Čakovec,Šibenik,Vijesti iz kuće,Dječji kanal,Zvijezde",
    "cp1250 Romanian": "Ştiri,Naţional,Bucureşti,Ţara,România,Muzică,Tărâm,Pro Internaţional",
    "iso8859-2 Czech": "Česká televize,Óčko,Šlágr,Příběhy,Žižkov,Dětský kanál,Říčany,Košice,Šport,"
    "Žilina,Praha tě baví,Hošek",
    "cp1252 French": "Télé Réunion,Chérie 25,L’Équipe,Première,été,Français,La chaîne météo,Noël",
    "cp1252 German": "München,Österreich,Köln,für alle,Straße,Grüne Welle,Thüringen,Männer",
    "cp1252 Spanish": "Televisión Española,Andalucía,Niños,La Mañana,Música,Fútbol,Aragón",
    "cp1252 Portuguese": "Notícias,Ação,Comunicação,São Paulo,Câmara,Educação,Irmãs,Relações",
    "cp1252 Swedish": "Kanal 5 Å,Göteborg,Skåne,Västerås,Örebro,Malmö,Nyheter på lätt,Åmål",
    "cp1252 Danish": "Østjylland,Sønderjylland,Nyheder på,Børn,Århus,Ærø,København på,Tromsø",
    "cp1252 mixed": "Télé Réunion,München,Televisión,Skåne,Østjylland,Ação,Città,Één,Stöð 2,Äiti",
    "cp1253": "Ελλάδα,ΣΚΑΪ,Κρήτη,Αθήνα 9.84,Ειδήσεις,Μακεδονία,Κύπρος,Τηλεόραση,Μουσική",
    "cp1254": "Haber Türk,Türkiye,İstanbul,Yaşam,Çocuk,Güneş,Şarkı,Doğuş,Işık,Ağrı,Sağlık",
    "cp1256": "الجزيرة,العربية,قناة القرآن,الإخبارية,تونس الوطنية,المغربية,روتانا سينما,أخبار",
    "gbk": "中央电视台综合频道,湖南卫视,北京卫视,东方卫视,浙江卫视,凤凰中文,翡翠台,新闻频道",
    "big5": "中視新聞台,台視,華視,民視新聞,公視台語台,東森新聞,三立臺灣台,緯來體育",
    "euc-kr": "한국방송 KBS,문화방송,서울방송,연합뉴스,채널A,스포츠,뉴스,영화,드라마",
    "shift_jis": "日本テレビ,フジテレビ,テレビ朝日,NHK総合,アニメ専門,スターチャンネル,映画",
}


@pytest.mark.parametrize("what", NAMES)
def test_some_names_are_enough_to_tell_their_encoding(what: str) -> None:
    names, encoding = NAMES[what].split(","), what.split()[0]
    lines = [
        f'#EXTINF:-1 tvg-id="c{n}" tvg-logo="http://logo.example/{n}.png" group-title="TV",{name}'
        for n, name in enumerate(names)
    ]
    sample = "\n".join(lines).encode(encoding)
    assert sample.decode(guess_encoding(sample)) == "\n".join(lines)
    few = 12 if encoding == "iso8859-2" else 6  # of it much is the same in cp1250
    for start in range(len(names) - few + 1):
        some = "\n".join(names[start : start + few])
        assert some.encode(encoding).decode(guess_encoding(some.encode(encoding))) == some


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *(("Télé Réunion", "cp1252"), ("München", "cp1252"), ("Kanal 5 Å", "cp1252")),
        *(("Россия 1", "cp1251"), ("Погода 24°", "cp1251"), ("Новини… „Інтер“", "cp1251")),
        *(("湖南卫视", "gbk"), ("Łódź Południe", "cp1250"), ("Ελλάδα", "cp1253")),
        *(("フジテレビ", "shift_jis"), ("民視新聞台", "big5"), ("Первый канал", "koi8-r")),
        *(("한국방송 연합뉴스", "euc-kr"), ("Türkiye İstanbul", "cp1254")),
    ],
)
def test_one_name_is_enough_where_it_is_plain(name: str, encoding: str) -> None:
    assert name.encode(encoding).decode(guess_encoding(name.encode(encoding))) == name


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("windows-1251", "cp1251"),
        ("WINDOWS-1250", "cp1250"),
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("GB2312", "gb18030"),
        ("Shift_JIS", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("big5", "big5hkscs"),
        ("tis-620", "cp874"),
        *((label, "") for label in ("utf-8", "UTF-16LE", "utf7", "cp037", "idna", "hex", "x", "")),
        *((label, "") for label in ("unicode_escape", "undefined", "../x", "é", "a" * 1000)),
    ],
)
def test_a_label_means_what_browsers_take_it_for(label: str, codec: str) -> None:
    assert codec_of(label) == codec


@given(st.binary(min_size=1), st.sampled_from(sorted({*aliases, *aliases.values()})))
def test_no_bytes_and_no_label_raise(data: bytes, label: str) -> None:
    data.decode(guess_encoding(data, [codec_of(label)]), "replace")


def test_a_sample_made_to_be_slow_is_looked_at_in_a_moment() -> None:
    begun = process_time()
    for unit in (b"\xff", b"\xc0\xe0", b"a\xe9 ", b"\xb0\xa1", b"\xf2" * 700 + b" ", b"\x83\x65"):
        guess_encoding(unit * (1_000_000 // len(unit)), ["gb18030", "cp1251"])
    assert process_time() - begun < 10.0  # 0.1 s
