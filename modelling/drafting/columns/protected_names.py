"""Names that suggest attributes by which the law or decency forbids to judge people."""

from modelling.drafting.columns.name_words import parts_of, suggests

# English, German, French, Spanish, Portuguese, Italian, Dutch, Japanese, Korean. What is not
# covered by a name is not found: a person still has to look.
PROTECTED = {
    "gender": """
        gender sex female male geschlecht anrede weiblich mannlich sexe genre civilite sexo genero
        sesso genere geslacht
        性別 성별""",
    "age": """
        age birthdate birthday birthyear dob yob born birth senior alter geburt geburtsdatum
        geburtsjahr naissance edad nacimiento idade nascimento
        eta nascita leeftijd geboorte geboortedatum geboortejaar
        年齢 生年月日 나이 연령 생년월일 생년""",
    "nationality or origin": """
        nationality citizenship race ethnicity ethnic minority afam hispanic birthplace foreign
        foreigner immigrant nationalitat staatsangehorigkeit herkunft auslander nationalite origine
        etranger nacionalidad origen etnia raza extranjero nacionalidade raca estrangeiro
        nazionalita cittadinanza straniero nationaliteit afkomst
        国籍 국적 인종 출신 외국인""",
    "religion": "religion faith konfession glaube croyance religiao religione godsdienst 종교",
    "marital status": """
        marital maritl marriage married spouse widowed divorced familienstand verheiratet ledig
        matrimonial conjugal marie civil casado matrimonio civile coniugato
        burgerlijke gehuwd 결혼 혼인 배우자""",
    "health or disability": """
        disability disabled pregnant pregnancy health behinderung schwanger gesundheit handicap
        grossesse sante discapacidad embarazo salud deficiencia
        gravidez disabilita gravidanza salute zwanger 장애 임신 건강""",
    "place of living": """
        postcode postal zip zipcode pincode cep plz postleitzahl wohnort codepostal codigopostal
        woonplaats residenza
        우편번호 주소""",
}
OF_THINGS = {
    "account",
    "accounts",
    "car",
    "company",
    "contract",
    "credit",
    "house",
    "ins",
    "insurance",
    "loan",
    "property",
    "vehicle",
}

WHOLE_NAMES = {"single": "marital status", "partner": "marital status"}  # single_premium is not


def protected_attribute(name: str) -> str | None:
    """The protected attribute that the name of a column suggests, if any."""
    if OF_THINGS & {*parts_of(name)}:  # the age of an account is nobody's
        return None
    if name.lower() in WHOLE_NAMES:
        return WHOLE_NAMES[name.lower()]
    return next((what for what, words in PROTECTED.items() if suggests(name, words)), None)
