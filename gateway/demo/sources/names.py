"""Made-up names in several scripts: a script at a time, family names beside given names."""

from typing import NamedTuple


class Names(NamedTuple):
    """Names that go together."""

    family: tuple[str, ...]
    given: tuple[str, ...]


NAMES = (
    Names(
        ("Muster", "Núñez", "Øster", "Źródlak", "Çınar", "Ţăran", "O’Sample", "Ngũgĩ"),  # noqa: RUF001 - as it is spelt
        ("Zoë", "José", "Łucja", "Åsa", "Ümit", "Ștefan", "Siobhán", "Wanjikũ", "Đorđe"),
    ),
    Names(
        ("النموذجي", "المثال", "بن عينة", "العيّاشي", "حدّاد"),
        ("ليلى", "يوسف", "نور", "سلمى", "كريم", "هدى", "إدريس"),
    ),
    Names(
        ("Образцова", "Примеренко", "Їжакевич", "Ћирић", "Өмірбек"),
        ("Алёна", "Дмитро", "Їванна", "Љубица", "Айгүл", "Пётр"),
    ),
    Names(
        ("Παραδειγματίδης", "Δειγματάκη", "Υποθετικού"),
        ("Άννα", "Γιώργος", "Ειρήνη", "Οδυσσέας"),
    ),
    Names(("例", "樣本", "试", "見本", "假设"), ("小明", "美玲", "翔太", "さくら", "子涵", "雨萱")),
    Names(("नमूना", "उदाहरण", "मिसाल"), ("अदिति", "कृष्ण", "प्रिया", "अर्जुन")),
    Names(("ნიმუშიძე", "მაგალითაშვილი"), ("ნინო", "გიორგი", "თამარ")),
    Names(("דוגמה", "כהן־מופת"), ("נועה", "אורי", "תמר")),
    Names(("예", "견본"), ("민준", "서연", "하늘")),
    Names(("ናሙና", "ምሳሌ"), ("ሰላም", "ዳዊት", "ማርያም")),
)
STREETS = ("Sample Street", "Specimen Lane", "Rue de l’Exemple", "Musterweg", "Example Quay")  # noqa: RUF001 - as it is spelt
CITIES = (
    ("1001", "Northbank"),
    ("2002", "Eastferry"),
    ("3003", "Lindenmouth"),
    ("4004", "Old Ford"),
)
EMPLOYERS = ("Sample Works", "Specimen & Daughters", "Example Ferries", "Placeholder Bakery")
SCHOOLS = ("Sample School One", "Eastferry Specimen School", "École de l’Exemple")  # noqa: RUF001 - as it is spelt
COLLEGE = "Evening College of Examples"
