# SPDX-License-Identifier: BSD-2-Clause
"""docs/api.yaml is a sound OpenAPI 3 document, and says what the running system answers: each
operation is made to answer with each status of success that it documents, and that answer is looked
at."""

import json
import re

import jsonschema
import pytest

from api_document import METHODS, Document, as_json_schema

pytestmark = pytest.mark.own_machine

# Debian's package openapi-specification.
SPECIFICATION = "/usr/share/openapi-specification/schemas/v3.0/schema.json"


@pytest.fixture(scope="module", name="document")
def document_fixture():
    return Document()


def parts(value, path=""):
    """All objects of the document, with where they are."""
    if isinstance(value, dict):
        yield path, value
        for key, part in value.items():
            yield from parts(part, f"{path}/{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from parts(part, f"{path}/{index}")


# The document.

def test_document_is_openapi_3(document):
    with open(SPECIFICATION, encoding="utf-8") as file:
        validator = jsonschema.Draft4Validator(json.load(file))
    assert [f"{list(e.path)}: {e.message[:200]}" for e in validator.iter_errors(document.whole)] == []
    assert document.whole["openapi"].startswith("3.0.")


def test_references_lead_somewhere_and_nothing_is_left_over(document):
    named = {
        f"#/components/{kind}/{name}"
        for kind, names in document.whole["components"].items() if kind != "securitySchemes"
        for name in names
    }
    used = {part["$ref"] for _, part in parts(document.whole) if "$ref" in part}
    assert used - named == set()
    # Schemas of events are what text of the stream means.
    assert {name for name in named - used if "/Event" not in name} == set()


def test_operations_have_names_and_their_parameters(document):
    operations = document.operations()
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for (_, path), operation in operations.items():
        given = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert given == set(re.findall(r"{(\w+)}", path)), path
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path"), path


def test_only_health_and_the_page_need_no_token(document):
    open_to_all = {
        path
        for path, item in document.whole["paths"].items()
        for method in METHODS & item.keys()
        if item[method].get("security", document.whole["security"]) == []
    }
    assert open_to_all == {"/", "/v1/health"}
    for (_, path), operation in document.operations().items():
        assert path in open_to_all or {"401", "429"} <= operation["responses"].keys(), path


def test_examples_are_as_their_schemas_say(document):
    looked_at = 0
    for path, part in parts(document.whole):
        schema = part.get("schema", part)
        is_schema = "type" in part or "schema" in part
        if "example" in part and is_schema and not path.startswith("/paths/~"):
            assert document.errors(part["example"], as_json_schema(schema)) == [], path
            looked_at += 1
    assert looked_at > 20
