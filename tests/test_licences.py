"""Nothing is installed whose licence nobody has looked at."""

import json
from email.message import Message

import pytest
from conftest import REPOSITORY

from audit.licences import (
    EXEMPTIONS,
    as_markdown,
    assess_licence,
    licence_from_metadata,
    licences_of,
    locked_packages,
    main,
)
from audit.sbom import bill_of_materials

LOCK = REPOSITORY / "requirements.lock"
FOUND = licences_of(locked_packages(LOCK.read_text()))


def test_every_locked_package_may_be_used_and_each_exemption_is_still_needed():
    assert len(FOUND) > 200
    assert [one for one in FOUND if not one.is_allowed] == []
    said = {one.package: (one.licence, one.because) for one in FOUND}
    assert {name: said.get(name) for name in EXEMPTIONS} == {
        n: e[1:] for n, e in EXEMPTIONS.items()
    }


@pytest.mark.parametrize(
    ("fields", "licence", "is_allowed"),
    [
        ({"License-Expression": "MIT AND (Apache-2.0 OR GPL-3.0-only)"}, None, True),
        ({"License-Expression": "MIT AND GPL-3.0-only"}, None, False),
        ({"License-Expression": "Apache-2.0 WITH LLVM-exception"}, None, False),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT", True),
        ({"License": "GNU Affero General Public License v3"}, "AGPL", False),
        ({"License": "LGPL-2.1 or BSD"}, "LGPL", False),
        ({"License": "Copyright (c) Somebody", "Classifier": "Topic :: MIT"}, "not stated", False),
        ({}, "not stated", False),
    ],
)
def test_a_licence_is_read_from_wherever_it_stands(fields, licence, is_allowed):
    said = Message()
    for name, value in fields.items():
        said[name] = value
    found = licence_from_metadata(said)
    assert found == (licence or fields["License-Expression"])
    assert (assess_licence("somebody", found)[1] is not None) == is_allowed


def test_an_exempt_package_that_changes_its_licence_is_looked_at_anew():
    assert assess_licence("certifi", "MPL-2.0")[1]
    assert assess_licence("certifi", "GPL") == ("GPL", None)


def test_the_audit_fails_where_a_licence_is_unknown(tmp_path, monkeypatch, capsys):
    monkeypatch.delitem(EXEMPTIONS, "psycopg2-binary")
    (tmp_path / "lock").write_text("psycopg2-binary==1 \\\n    --hash=x\nnobody==2 ; 'x'\n")
    assert main(tmp_path / "lock", tmp_path / "licences.md") == 1
    assert "psycopg2-binary" in capsys.readouterr().err
    assert "| nobody | 2 | not installed" in (tmp_path / "licences.md").read_text()
    assert as_markdown(FOUND).count("\n| ") == len(FOUND) + 1


def test_the_bill_of_materials_holds_each_package_and_what_it_needs():
    whole = bill_of_materials(FOUND)
    components = {one["name"]: one for one in whole["components"]}
    assert set(components) == set(locked_packages(LOCK.read_text()))
    assert components["pandas"]["purl"].startswith("pkg:pypi/pandas@")
    assert components["empulse"]["licenses"] == [{"license": {"name": "AGPL-3.0-only"}}]
    needs = {one["ref"]: one["dependsOn"] for one in whole["dependencies"]}
    assert components["numpy"]["purl"] in needs[components["pandas"]["purl"]]
    assert json.dumps(whole) == json.dumps(bill_of_materials(FOUND))
    assert str(REPOSITORY) not in json.dumps(whole)
