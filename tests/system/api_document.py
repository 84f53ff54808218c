# SPDX-License-Identifier: BSD-2-Clause
"""docs/api.yaml as a judge: what it documents, and whether an answer is as documented.

Schemas of OpenAPI 3.0 are those of JSON Schema's draft 4, but for `nullable`. An object that says
which properties it has is taken to have no others, so that what is not documented is found.
"""

import json
import pathlib

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/api.yaml"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PROBLEM = "application/problem+json"


def load():
    return yaml.safe_load(DOCUMENT.read_text())


def as_json_schema(part):
    """A copy in which draft 4 means what OpenAPI means by it, and objects are closed."""
    if isinstance(part, list):
        return [as_json_schema(item) for item in part]
    if not isinstance(part, dict):
        return part
    copy = {key: as_json_schema(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and "type" in part:
        copy.setdefault("additionalProperties", False)
    if part.get("nullable") is True:
        copy["type"] = [part["type"], "null"]
    return copy


class Document:
    """The document, and what it says of each operation."""

    def __init__(self):
        self.whole = load()
        self._schemas = as_json_schema(self.whole)
        self._resolver = jsonschema.RefResolver("", self._schemas)

    def resolve(self, part):
        while isinstance(part, dict) and "$ref" in part:
            part = self._resolver.resolve(part["$ref"])[1]
        return part

    def operations(self):
        """(method, path) -> operation, with responses resolved and schemas for draft 4."""
        found = {}
        for path, item in self._schemas["paths"].items():
            for method in METHODS & item.keys():
                operation = dict(item[method])
                operation["parameters"] = [
                    self.resolve(p)
                    for p in [*item.get("parameters", []), *operation.get("parameters", [])]
                ]
                operation["responses"] = {
                    status: self.resolve(r) for status, r in operation["responses"].items()
                }
                found[method.upper(), path] = operation
        return found

    def successes(self):
        """All (method, path, status) of documented success."""
        return {
            (method, path, int(status))
            for (method, path), operation in self.operations().items()
            for status in operation["responses"]
            if status.startswith("2")
        }

    def errors(self, value, schema):
        """What is wrong with a value by this schema, as text."""
        validator = jsonschema.Draft4Validator(
            schema, resolver=self._resolver, format_checker=jsonschema.FormatChecker()
        )
        return [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(value)]

    def check(self, schema, value):
        """Asserts that a value is as components/schemas/NAME says."""
        assert not self.errors(value, {"$ref": f"#/components/schemas/{schema}"})

    def check_answer(self, method, path, answer):
        """Asserts that a (status, headers, body) is one that the operation documents; returns what
        its body says."""
        status, headers, body = answer
        headers = {name.lower(): value for name, value in dict(headers).items()}
        responses = self.operations()[method, path]["responses"]
        response = responses.get(str(status)) or (responses["default"] if status >= 400 else None)
        assert response, f"{method} {path}: {status} is not documented: {body[:300]!r}"
        self._check_headers(response, headers)
        content = response.get("content")
        if not content:
            assert body in (b"", ""), f"{method} {path}: {status} has a body: {body[:300]!r}"
            return None
        media_type = headers["content-type"].split(";")[0].strip()
        assert media_type in content, f"{method} {path}: {status} is {media_type}"
        if not media_type.endswith("json"):
            return body
        value = json.loads(body)
        problems = self.errors(value, content[media_type]["schema"])
        assert not problems, f"{method} {path}: {status}: {problems[:5]}"
        if media_type == PROBLEM:
            assert value["status"] == status
        return value

    def _check_headers(self, response, headers):
        for name, header in response.get("headers", {}).items():
            value = headers.get(name.lower())
            assert value is not None, f"no header {name}"
            schema = self.resolve(header)["schema"]
            typed = int(value) if schema["type"] == "integer" else value
            assert not self.errors(typed, schema), f"{name}: {value}"
