# SPDX-License-Identifier: BSD-2-Clause
"""docs/api.yaml is a sound OpenAPI 3 document, and says what the running system answers: each
operation is made to answer with each status of success that it documents, and that answer is looked
at."""

import gzip
import json
import pathlib
import re

import jsonschema
import pytest

from api_client import Client, events
from api_document import METHODS, Document, as_json_schema
from machine import Machine
from stores import make_store

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
    found = validator.iter_errors(document.whole)
    assert [f"{list(e.path)}: {e.message[:200]}" for e in found] == []
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


# The running system.

LIVE = ("running", "runnable", "idle", "waiting")
HELLO = "build/guests/hello.elf"
EXERCISES = {}


def exercise(method, path, status):
    """What makes an operation answer with a status of success; it returns the answer."""
    def remember(function):
        EXERCISES[method, path, status] = function
        return function
    return remember


@pytest.fixture(scope="module", name="client")
def client_fixture(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("yaml"))
    with Machine("dts/web.dts", vms=20, mem="256M", defines={"RESERVE": 100, "SPARE": 100},
                 store=store, api=True) as machine:
        client = Client(machine)
        client.wait_until_up()
        client.wait_until_ready("web")
        yield client


def live_vm(client):
    """A VM that has run and now waits for packets."""
    number, = client.create()
    return client.wait_for_state(number, "idle")


@exercise("GET", "/", 200)
def _(client):
    answer = client.ask("GET", "/", headers={"Authorization": None})
    assert b"<html" in gzip.decompress(answer[2]).lower()
    return answer


@exercise("GET", "/v1/health", 200)
def _(client):
    return client.ask("GET", "/v1/health", headers={"Authorization": None})


@exercise("GET", "/v1/version", 200)
def _(client):
    return client.ask("GET", "/v1/version")


@exercise("GET", "/v1/machine", 200)
def _(client):
    answer = client.ask("GET", "/v1/machine")
    machine = json.loads(answer[2])
    memory = machine["memory"]
    assert 2 * memory["ram_bytes"] == sum(memory.values())
    assert 0.99 * 2**28 < memory["ram_bytes"] <= 2**28
    assert machine["vms"]["total"] == sum(n for k, n in machine["vms"].items() if k != "total")
    assert machine["store"] and len(machine["cpus"]) == 1
    return answer


@exercise("GET", "/v1/images", 200)
def _(client):
    answer = client.ask("GET", "/v1/images")
    images = {image["name"]: image for image in json.loads(answer[2])["images"]}
    assert images["supervisor"]["supervisor"] and not images["web"]["loaded"]
    assert images["web"]["instances"] == 20
    return answer


def upload(client, name):
    answer = client.upload(name, pathlib.Path(HELLO).read_bytes())
    assert answer[0] == 201, answer
    assert json.loads(answer[2])["loaded"]
    return answer


@exercise("POST", "/v1/images", 201)
def _(client):
    answer = upload(client, "uploaded")
    assert {k.lower(): v for k, v in answer[1].items()}["location"] == "/v1/images/uploaded"
    client.wait_until_ready("uploaded")
    number, = client.create("uploaded")
    client.machine.wait_for(r"^\[uploaded/1\] ")
    assert client.get(f"/v1/vms/{number}")["name"] == "uploaded/1"
    return answer


@exercise("GET", "/v1/images/{name}", 200)
def _(client):
    answer = client.ask("GET", "/v1/images/web")
    assert json.loads(answer[2])["file"] == "httpd.elf"
    return answer


@exercise("PATCH", "/v1/images/{name}", 200)
def _(client):
    answer = client.ask("PATCH", "/v1/images/web", {"weight": 512, "memory_limit_bytes": 1048576})
    image = json.loads(answer[2])
    assert (image["weight"], image["memory_limit_bytes"]) == (512, 1048576)
    assert client.get("/v1/images/web")["weight"] == 512
    client.ask("PATCH", "/v1/images/web", {"weight": 256, "memory_limit_bytes": 0})
    return answer


@exercise("DELETE", "/v1/images/{name}", 204)
def _(client):
    upload(client, "short-lived")
    client.wait_until_ready("short-lived")
    answer = client.ask("DELETE", "/v1/images/short-lived")
    assert client.ask("GET", "/v1/images/short-lived")[0] == 404
    return answer


@exercise("GET", "/v1/vms", 200)
def _(client):
    listed, after = [], 0
    while after is not None:
        answer = client.ask("GET", f"/v1/vms?image=web&limit=7&after={after}&fields=brief")
        page = json.loads(answer[2])
        listed += [vm["number"] for vm in page["vms"]]
        after = page["next"]
    assert len(listed) >= 20 and listed == sorted(set(listed))
    for query in ("fields=list", "sort=uss&limit=3", "state=idle", "sort=number&order=desc"):
        answer = client.ask("GET", f"/v1/vms?{query}")
        assert json.loads(answer[2])["vms"], query
        Document().check_answer("GET", "/v1/vms", answer)
    return client.ask("GET", "/v1/vms")


@exercise("POST", "/v1/vms", 201)
def _(client):
    answer = client.ask("POST", "/v1/vms", {"image": "web", "count": 3},
                        {"Idempotency-Key": "yaml-1"})
    made = json.loads(answer[2])
    assert sum(last - first + 1 for first, last in made["numbers"]) == made["count"] == 3
    assert client.get(f"/v1/vms/{made['numbers'][0][0]}")["state"] == "defined"
    return answer


@exercise("DELETE", "/v1/vms", 200)
def _(client):
    made = client.create(count=4, start=False)
    numbers = f"{made[0]}-{made[-1]},1000000"
    answer = client.ask("DELETE", f"/v1/vms?numbers={numbers}")
    assert json.loads(answer[2]) == {"deleted": 4, "not_found": 1}
    return answer


@exercise("GET", "/v1/vms/{number}", 200)
def _(client):
    number = live_vm(client)["number"]
    answer = client.ask("GET", f"/v1/vms/{number}")
    vm = json.loads(answer[2])
    assert vm["number"] == number and vm["name"] == f"web/{vm['instance']}"
    assert vm["descriptor_bytes"] < vm["uss_bytes"] and 0 < vm["pss_bytes"] <= vm["rss_bytes"]
    assert vm["ipv4"] == f"10.64.{number // 256}.{number % 256}"
    return answer


@exercise("DELETE", "/v1/vms/{number}", 204)
def _(client):
    number, = client.create(start=False)
    answer = client.ask("DELETE", f"/v1/vms/{number}")
    assert client.ask("GET", f"/v1/vms/{number}")[0] == 404
    return answer


def changed(client, number, what, *states):
    """A change of a VM, after which it is in one of these states."""
    answer = client.ask("POST", f"/v1/vms/{number}/{what}")
    assert answer[0] == 200, answer
    client.wait_for_state(number, *states)
    return answer


@exercise("POST", "/v1/vms/{number}/start", 200)
def _(client):
    number, = client.create(start=False)
    return changed(client, number, "start", *LIVE)


@exercise("POST", "/v1/vms/{number}/pause", 200)
def _(client):
    answer = changed(client, live_vm(client)["number"], "pause", "paused")
    assert json.loads(answer[2])["state"] == "paused"
    return answer


@exercise("POST", "/v1/vms/{number}/resume", 200)
def _(client):
    number = live_vm(client)["number"]
    changed(client, number, "pause", "paused")
    return changed(client, number, "resume", *LIVE)


@exercise("POST", "/v1/vms/{number}/restart", 200)
def _(client):
    return changed(client, live_vm(client)["number"], "restart", *LIVE)


@exercise("POST", "/v1/vms/{number}/checkpoint", 200)
def _(client):
    before = live_vm(client)
    answer = client.ask("POST", f"/v1/vms/{before['number']}/checkpoint")
    vm = json.loads(answer[2])
    assert vm["record"] != before["record"] and vm["stored_bytes"] > 0, vm
    return answer


@exercise("POST", "/v1/vms/{number}/clone", 201)
def _(client):
    number = live_vm(client)["number"]
    answer = client.ask("POST", f"/v1/vms/{number}/clone", {"count": 2})
    made = json.loads(answer[2])
    assert made["count"] == 2, made
    for first, last in made["numbers"]:
        assert client.wait_for_state(last, *LIVE, "stored")["image"] == "web" and first != number
    return answer


@exercise("GET", "/v1/vms/{number}/console", 200)
def _(client):
    upload(client, "talker")
    client.wait_until_ready("talker")
    number, = client.create("talker")
    client.machine.wait_for(r"^\[talker/1\] ")
    answer = client.ask("GET", f"/v1/vms/{number}/console?lines=1")
    assert len(answer[2].splitlines()) == 1
    with client.open("GET", f"/v1/vms/{number}/console?follow=1") as response:
        assert response.readline().strip()
    return answer


@exercise("POST", "/v1/vms/{number}/console", 200)
def _(client):
    number = live_vm(client)["number"]
    answer = client.ask("POST", f"/v1/vms/{number}/console", b"hello\n",
                        {"Content-Type": "text/plain"})
    assert json.loads(answer[2]) == {"written": 6}
    return answer


@exercise("GET", "/v1/footprint", 200)
def _(client):
    live_vm(client)
    answer = client.ask("GET", "/v1/footprint")
    web = next(i for i in json.loads(answer[2])["images"] if i["image"] == "web")
    assert web["live"] >= 1
    for name in ("uss_bytes", "rss_bytes", "pss_bytes", "stage2_bytes", "descriptor_bytes"):
        figures = web[name]
        assert 0 < figures["min"] <= figures["median"] <= figures["max"] <= figures["sum"], name
    return answer


@exercise("GET", "/v1/map", 200)
def _(client):
    answer = client.ask("GET", "/v1/map")
    world = json.loads(answer[2])
    for image in world["images"]:
        runs = re.findall(r"(\d+)([-dRriwspx])", image["states"])
        assert sum(int(count) for count, _ in runs) == image["count"], image
    return answer


@exercise("GET", "/v1/histogram", 200)
def _(client):
    live_vm(client)
    answer = client.ask("GET", "/v1/histogram")
    buckets = json.loads(answer[2])["buckets"]
    assert buckets == sorted(buckets) and sum(count for _, count in buckets) >= 2
    return answer


@exercise("GET", "/v1/events", 200)
def _(client):
    document, seen = Document(), set()
    with client.open("GET", "/v1/events?machine=1") as response:
        number = live_vm(client)["number"]
        for kind, data in events(response):
            document.check("Machine" if kind == "machine" else f"Event{kind.capitalize()}", data)
            seen |= {kind, data.get("kind") if data.get("number") == number else None}
            if {"machine", "created", "started"} <= seen:
                break
        return response.status, dict(response.getheaders()), "".encode()


@exercise("GET", "/metrics", 200)
def _(client):
    for accept in ("*/*", "text/plain"):
        answer = client.ask("GET", "/metrics", headers={"Accept": accept})
        assert b"toklat_ram_bytes 268" in answer[2]
        Document().check_answer("GET", "/metrics", answer)
    return answer


def test_every_operation_is_exercised(document):
    assert set(EXERCISES) == document.successes()


@pytest.mark.parametrize("case", sorted(EXERCISES), ids=lambda case: "-".join(map(str, case)))
def test_answers_as_documented(client, document, case):
    method, path, status = case
    answer = EXERCISES[case](client)
    document.check_answer(method, path, answer)
    assert answer[0] == status


def test_what_is_optional_may_be_left_out(client):
    assert client.upload("bare", pathlib.Path(HELLO).read_bytes(), file=None)[0] == 201
    assert client.ask("POST", "/v1/vms", {"image": "web"})[0] == 201


def test_head_is_get_without_a_body(client):
    for path in ("/", "/v1/health", "/v1/machine", "/v1/images/web", "/v1/vms/1", "/v1/map"):
        head, _, body = client.raw(client.head(f"HEAD {path} HTTP/1.1")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and body == b"", path
        kind = client.ask("GET", path)[1]["Content-Type"]
        assert f"\r\nContent-Type: {kind}\r\n".encode() in head
    assert client.raw_status(client.head("HEAD /v1/vms/1000000 HTTP/1.1")) == 404


def test_the_page_is_sent_once(client):
    etag = client.ask("GET", "/")[1]["ETag"]
    status, _, body = client.ask("GET", "/", headers={"If-None-Match": etag})
    assert (status, body) == (304, b"")
