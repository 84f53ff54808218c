# SPDX-License-Identifier: BSD-2-Clause
"""Requests to the control API that have to be refused, and how. Of a web deployment: VM 1 is the
supervisor, and there is an image "web"."""

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
ELF = {"Content-Type": "application/octet-stream"}
RANGES = ",".join(str(n) for n in range(1, 200, 3))  # 67 of them
NO_VM = 1000000
HUGE = "9" * 40


def _get(path, status=400, field=None):
    return ("GET", path, None, {}, status, field)


def _post(body, field=None, status=400, path="/v1/vms", headers=JSON):
    return ("POST", path, body, headers, status, field)


# Well-formed HTTP that asks for something wrong: (method, path, body, headers, status, field). The
# field is the one that the problem names.
ASKED = [
    # Paths. There is no way up, and no way around.
    *[_get(path, 404) for path in (
        "/v1", "/v1/", "/v1/nothing", "/v2/health", "//", "/v1//health", "/v1/health/",
        "/V1/health",
        "/v1/./health", "/v1/../v1/health", "/../../etc/passwd", "/v1/vms/1/../1", "/index.html",
        "/%2e%2e/%2e%2e/etc/passwd", "/v1/vms/1/%2e%2e", "/v1/vms/..%2f1", "/v1/images/..",
        "/v1/images/" + "n" * 24, "/v1/images/no%20name", "/v1/images/nobody", "/v1/vms/0",
        "/v1/vms/-1", "/v1/vms/x", "/v1/vms/1.0", "/v1/vms/+1", f"/v1/vms/{HUGE}",
        f"/v1/vms/{NO_VM}", f"/v1/vms/{NO_VM}/console", "/v1/vms/1/start/now", "/" + "a" * 200,
        "/v1/vms/1%2fstart%2f",
    )],
    *[_get(path) for path in (
        "/v1/%ff", "/v1/%c0%af", "/v1/%ed%a0%80", "/v1/%", "/v1/%4", "/v1/%zz", "/v1/health%00",
        "/v1/images/%f5%80%80%80", "/v1/%0d%0aX:1",
    )],
    # Methods.
    *[(method, path, None, {}, 405, "method") for method, path in (
        ("PUT", "/v1/health"), ("POST", "/v1/health"), ("DELETE", "/v1/map"),
        ("PATCH", "/v1/vms/1"),
        ("POST", "/metrics"), ("GET", "/v1/vms/1/start"), ("TRACE", "/"), ("OPTIONS", "/v1/vms"),
        ("FROB", "/v1/machine"), ("get", "/v1/health"), ("CONNECT", "/v1/health"),
    )],
    # Queries.
    *[_get(f"/v1/vms?{query}", 400, field) for query, field in (
        ("limit=0", "limit"), ("limit=100001", "limit"), ("limit=", "limit"), ("limit=1x", "limit"),
        ("limit=-1", "limit"), (f"limit={HUGE}", "limit"), ("limit=1&limit=1", "limit"),
        ("limit", "limit"), ("after=-1", "after"), ("after=4294967296", "after"),
        ("state=asleep", "state"), ("sort=name", "sort"), ("order=up", "order"),
        ("fields=all", "fields"), ("image=no%20name", "image"), ("image=%ff", "image"),
        ("image=%c3%28", "image"), ("image=", "image"), ("nothing=1", "query"),
        ("Limit=1", "query"),
        ("sort=uss&after=5", "after"), ("limit=%31%", "limit"), ("%ff=1", "query"),
    )],
    _get("/v1/health?x=1", 400, "query"), _get("/v1/vms/1/console?follow=2", 400, "follow"),
    _get("/v1/vms/1/console?lines=-1", 400, "lines"), _get("/v1/events?machine=0", 400, "machine"),
    _get("/v1/events?machine=61", 400, "machine"), _get("/v1/events?after=x", 400, "after"),
    _get("/metrics?top=101", 400, "top"),
    *[("DELETE", f"/v1/vms?numbers={numbers}", None, {}, 400, "numbers") for numbers in (
        "", "0", "x", "5-2", "1-", "-1", "1,,2", f"1-{HUGE}", RANGES,
    )],
    ("DELETE", "/v1/vms", None, {}, 400, "numbers"),
    # JSON.
    *[_post(body) for body in (
        b"", b"{", b"}", b"[]", b"null", b"1", b'"image"', b'{"image":"web"', b'{"image":"web"}}',
        b'{"image":"web"},', b'{"image":"web",}', b'{image:"web"}', b"{'image':'web'}",
        b'{"image":"web" "count":1}', b'{"image":"web","count":01}', b'{"image":"web","count":1.}',
        b'{"image":"web","count":+1}', b'{"image":"web","count":0x1}',
        b'{"image":"web","count":NaN}',
        b'{"image":"\xff"}', b'{"image":"\xc0\xaf"}', b'{"image":"\xed\xa0\x80"}',
        b'{"image":"\x01"}',
        b'{"image":"\\ud800"}', b'{"image":"\\x"}', b'{"image":"web\x00"}', b"\xef\xbb\xbf{}",
        b"[" * 10000, b'{"a":' * 5000, b'{"' + b"k" * 60000, b'{"image":"' + b"w" * 60000 + b'"}',
    )],
    *[_post(body, field) for body, field in (
        (b"{}", "image"), (b'{"count":1}', "image"), (b'{"image":1}', "image"),
        (b'{"image":null}', "image"), (b'{"image":""}', "image"), (b'{"image":"a b"}', "image"),
        (b'{"image":"../web"}', "image"), (b'{"image":"web","image":"web"}', "image"),
        (b'{"image":["web"]}', "image"), (b'{"image":"web","count":0}', "count"),
        (b'{"image":"web","count":100001}', "count"), (b'{"image":"web","count":-1}', "count"),
        (b'{"image":"web","count":1.5}', "count"), (b'{"image":"web","count":1e3}', "count"),
        (b'{"image":"web","count":"1"}', "count"), (b'{"image":"web","count":true}', "count"),
        (b'{"image":"web","count":{}}', "count"),
        (b'{"image":"web","count":' + HUGE.encode() + b"}", "count"),
        (b'{"image":"web","start":1}', "start"), (b'{"image":"web","start":null}', "start"),
        (b'{"image":"web","more":1}', "body"),
    )],
    _post(b'{"image":"nobody"}', "image", 404),
    _post(b'{"image":"web","count":100000}', "count", 409),
    *[("PATCH", "/v1/images/web", body, JSON, 400, field) for body, field in (
        (b"{}", "body"), (b'{"weight":0}', "weight"), (b'{"weight":65536}', "weight"),
        (b'{"weight":"1"}', "weight"), (b'{"memory_limit_bytes":1}', "memory_limit_bytes"),
        (b'{"memory_limit_bytes":-4096}', "memory_limit_bytes"), (b'{"name":"x"}', "body"),
    )],
    # Bodies.
    _post(b"<image>web</image>", "Content-Type", 415, headers={"Content-Type": "text/xml"}),
    _post(b"{}", "Content-Type", 415, "/v1/images?name=x&reserve=1", JSON),
    _post(b"x", "Content-Type", 415, "/v1/vms/1/console", ELF),
    _post(b" " * 65537, "Content-Length", 413),
    _post(b" " * 4097, "Content-Length", 413, "/v1/vms/1/console", TEXT),
    ("GET", "/v1/health", b"{}", JSON, 400, "Content-Length"),
    # Uploads.
    *[_post(b"\x7fELF", field, 400, f"/v1/images?{query}", ELF) for query, field in (
        ("", "name"), ("name=x", "reserve"), ("reserve=1", "name"), ("name=&reserve=1", "name"),
        ("name=a%2fb&reserve=1", "name"), (f"name={'n' * 24}&reserve=1", "name"),
        ("name=x&reserve=0", "reserve"), ("name=x&reserve=1048577", "reserve"),
        ("name=x&reserve=1&network=all", "network"), ("name=x&reserve=1&weight=65536", "weight"),
        ("name=x&reserve=1&memory=4097", "memory"), ("name=x&reserve=1&peers=nobody", "peers"),
        (f"name=x&reserve=1&args={'a' * 256}", "args"), ("name=x&reserve=1&args=%ff", "args"),
        (f"name=x&reserve=1&file={'f' * 64}", "file"),
    )],
    _post(b"\x7fELF", "name", 409, "/v1/images?name=web&reserve=1", ELF),
    *[_post(body, status=422, path="/v1/images?name=x&reserve=1", headers=ELF) for body in (
        b"\x7fELF", b"#!/bin/sh\n", bytes(64), b"\xff" * 70000,
    )],
    # States.
    ("DELETE", "/v1/images/web", None, {}, 409, None),
    ("POST", "/v1/vms/1/start", None, {}, 409, None),
    ("POST", "/v1/vms/1/resume", None, {}, 409, None),
    # Keys.
    *[_post(b'{"image":"web"}', "Idempotency-Key", headers={**JSON, "Idempotency-Key": key})
      for key in ("k" * 65, "k\x7f", "k\xe9", "two words")],
]


def raw_requests(head):
    """Bytes that are no sound HTTP: name -> (bytes, status). `head` makes a sound head of a request
    line and further lines."""
    sound = head("GET /v1/version HTTP/1.1")
    post = "POST /v1/vms HTTP/1.1"
    return {
        "noise": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        "words": (b"nonsense\r\n\r\n", 400),
        "no-version": (head("GET /v1/version"), 400),
        "version-2": (head("GET /v1/version HTTP/2.0"), 505),
        "version-odd": (head("GET /v1/version HTTP/1.x"), 400),
        "two-spaces": (head("GET  /v1/version HTTP/1.1"), 400),
        "space-in-target": (head("GET /v1/ver sion HTTP/1.1"), 400),
        "method-odd": (head("G@T /v1/version HTTP/1.1"), 400),
        "target-without-slash": (head("GET v1/version HTTP/1.1"), 400),
        "bare-newlines": (sound.replace(b"\r\n", b"\n"), 400),
        "bare-return": (head("GET /v1/version HTTP/1.1", "X: a\rb"), 400),
        "no-host": (sound.replace(b"Host: toklat\r\n", b""), 400),
        "two-hosts": (head("GET /v1/version HTTP/1.1", "Host: other"), 400),
        "folded": (head("GET /v1/version HTTP/1.1", "X: a", " b"), 400),
        "no-colon": (head("GET /v1/version HTTP/1.1", "nothing"), 400),
        "space-before-colon": (head("GET /v1/version HTTP/1.1", "X : a"), 400),
        "nul": (head("GET /v1/version HTTP/1.1", "X: a\0b"), 400),
        "length-negative": (head(post, "Content-Length: -1"), 400),
        "length-odd": (head(post, "Content-Length: 0x10"), 400),
        "length-twice": (head(post, "Content-Length: 15", "Content-Length: 15")
                         + b'{"image":"web"}', 400),
        "length-and-coding": (head(post, "Content-Length: 2", "Transfer-Encoding: chunked"), 400),
        "length-huge": (head(post, "Content-Length: 99999999999999999999999"), 400),
        "coding": (head(post, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n", 411),
        "no-length": (head(post), 411),
        "too-long": (head(post, "Content-Length: 1000000000000"), 413),
        "image-too-long": (head("POST /v1/images?name=x&reserve=1 HTTP/1.1",
                                "Content-Length: 2097153"), 413),
        "token-twice": (head("GET /v1/version HTTP/1.1", "Authorization: Bearer x"), 400),
        "line-too-long": (head(f"GET /{'a' * 3500} HTTP/1.1"), 414),
        "head-too-long": (head("GET /v1/version HTTP/1.1", "X: " + "a" * 5000), 431),
        "headers-without-end": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000, 431),
        "target-is-no-utf-8": (head("GET /v1/\xff HTTP/1.1"), 400),
    }
