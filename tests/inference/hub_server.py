"""A small model Hub on loopback: enough for huggingface_hub 2.x.

Repositories, commits, tags, LFS uploads and downloads, all in memory. What
the real Hub adds (Xet, gating, web pages, quotas) is not here. Who sends the
header of TOKEN is the owner; others see public repositories alone, and for
private ones get what they get for none: 401.
"""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import NamedTuple
from urllib.parse import unquote, urlparse

TOKEN = "hf_owner"
NAME = r"([^/]+/[^/]+)"
LFS = re.compile(r"\.(safetensors|wav)$")


class RefusalError(Exception):
    """An HTTP error, with the code that huggingface_hub looks at."""

    def __init__(self, status, code, message=""):
        super().__init__(message or code)
        self.status, self.code = status, code


class Repository:
    """One model: commits by id, each a dict of path to (bytes, is LFS)."""

    def __init__(self, private):
        first = "0" * 40
        self.private, self.tags = private, {}
        self.commits = {first: {".gitattributes": (b"*.ckpt\n", False)}}
        self.head = first

    def find(self, revision):
        """Full id of a branch, tag or commit."""
        found = {"main": self.head, **self.tags}.get(revision, revision)
        if found not in self.commits:
            raise RefusalError(
                404, "RevisionNotFound", f"Invalid rev {revision}"
            )
        return found


class State:
    """What the server knows, and what it is told to break."""

    def __init__(self):
        self.repositories, self.blobs, self.lock = {}, {}, Lock()
        self.dropped = ""  # requests whose path holds this are cut

    def repository(self, name, token):
        """A repository that the token may read."""
        found = self.repositories.get(name)
        if found is None or (found.private and token != TOKEN):
            raise RefusalError(404 if token == TOKEN else 401, "RepoNotFound")
        return found


class Request(NamedTuple):
    """What the answers below need of a request."""

    state: State
    base: str
    token: str
    body: bytes

    def repository(self, name):
        """A repository, if it may be read."""
        return self.state.repository(name, self.token)

    def owner(self):
        """Refuse whoever may not write."""
        if self.token != TOKEN:
            raise RefusalError(401, "", "Invalid username or password.")

    def json(self):
        return json.loads(self.body)


def create(request):
    request.owner()
    given = request.json()
    name = f"{given['organization']}/{given['name']}"
    answer = {"url": f"{request.base}/{name}", "id": name, "name": name}
    if name in request.state.repositories:
        return {**answer, "error": "You already created this model"}, 409
    if given.get("visibility") == "public":
        raise RefusalError(403, "", "This organization is private by default.")
    private = given.get("private") or given.get("visibility") == "private"
    request.state.repositories[name] = Repository(bool(private))
    return answer, 200


def info(request, name, revision=None):
    found = request.repository(name)
    commit = found.find(revision or "main")
    files = [{"rfilename": path} for path in found.commits[commit]]
    about = {"_id": "0", "id": name, "modelId": name, "sha": commit}
    return {**about, "private": found.private, "siblings": files}, 200


def references(request, name):
    tags = [
        {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit}
        for tag, commit in request.repository(name).tags.items()
    ]
    return {"branches": [], "tags": tags, "converts": []}, 200


def tree(request, name, revision, _=None):
    found = request.repository(name)
    return [
        describe(path, *content)
        for path, content in found.commits[found.find(revision)].items()
    ], 200


def describe(path, content, is_lfs):
    about = {
        "type": "file",
        "oid": hashlib.sha1(content).hexdigest(),
        "size": len(content),
    }
    if is_lfs:
        digest = hashlib.sha256(content).hexdigest()
        about["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 1}
    return {**about, "path": path}


def ask_upload(request, name, _):
    request.owner()
    request.repository(name)
    return {
        "files": [
            {
                "path": file["path"],
                "uploadMode": "lfs" if LFS.search(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in request.json()["files"]
        ]
    }, 200


def ask_lfs(request, _):
    request.owner()
    objects = request.json()["objects"]
    for item in objects:
        if item["oid"] not in request.state.blobs:
            url = f"{request.base}/_lfs/{item['oid']}"
            item["actions"] = {"upload": {"href": url}}
    return {"transfer": "basic", "objects": objects}, 200


def put_lfs(request, digest):
    if hashlib.sha256(request.body).hexdigest() != digest:
        raise RefusalError(400, "BadOid")
    request.state.blobs[digest] = request.body
    return {}, 200


def commit(request, name, revision):
    request.owner()
    found = request.repository(name)
    with request.state.lock:
        parent = found.find(revision)
        files = dict(found.commits[parent])
        for line in request.body.splitlines():
            change(request.state, files, parent, **json.loads(line))
        new = hashlib.sha1(parent.encode() + request.body).hexdigest()
        found.commits[new], found.head = files, new
    url = f"{request.base}/{name}/commit/{new}"
    return {"success": True, "commitOid": new, "commitUrl": url}, 200


def change(state, files, parent, key, value):
    if key == "header" and value.get("parentCommit") not in (None, parent):
        raise RefusalError(412, "PreconditionFailed")
    if key == "file":
        content = base64.b64decode(value["content"])
        files[value["path"]] = (content, False)
    if key == "lfsFile":
        files[value["path"]] = (state.blobs[value["oid"]], True)
    if key == "deletedFile":
        del files[value["path"]]


def set_tag(request, name, revision):
    request.owner()
    found, tag = request.repository(name), request.json()["tag"]
    if tag in found.tags:
        raise RefusalError(409, "Conflict")
    found.tags[tag] = found.find(revision)
    return {}, 200


ANSWERS = [
    ("POST", r"/api/repos/create", create),
    ("POST", r"/api/validate-yaml", lambda request: ({"errors": []}, 200)),
    ("GET", rf"/api/models/{NAME}/refs", references),
    ("GET", rf"/api/models/{NAME}/tree/([^/]+)(/.*)?", tree),
    ("GET", rf"/api/models/{NAME}(?:/revision/(.+))?", info),
    ("POST", rf"/api/models/{NAME}/preupload/(.+)", ask_upload),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", ask_lfs),
    ("PUT", r"/_lfs/(.+)", put_lfs),
    ("POST", rf"/api/models/{NAME}/commit/(.+)", commit),
    ("POST", rf"/api/models/{NAME}/tag/(.+)", set_tag),
]


class Handler(BaseHTTPRequestHandler):
    """One request: an answer of the table, or a file."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def do_GET(self):
        state, path = self.server.state, unquote(urlparse(self.path).path)
        try:
            if state.dropped and state.dropped in path:
                size = int(self.headers["Content-Length"] or 0)
                self.rfile.read(size // 2)  # then the line is cut
                self.close_connection = True
                return
            base = f"http://{self.headers['Host']}"
            token = (self.headers["Authorization"] or "")[len("Bearer ") :]
            self.answer(Request(state, base, token, self.read_body()), path)
        except RefusalError as error:
            said = {"X-Error-Code": error.code, "X-Error-Message": str(error)}
            self.send(error.status, said, b"{}")

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def read_body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, request, path):
        for method, pattern, function in ANSWERS:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                content, status = function(request, *found.groups())
                kind = {"Content-Type": "application/json"}
                return self.send(status, kind, json.dumps(content).encode())
        found = re.fullmatch(rf"/{NAME}/resolve/([^/]+)/(.+)", path)
        if not found:
            raise RefusalError(404, "NotFound", path)
        name, revision, file = found.groups()
        self.send_file(request.repository(name), revision, file)

    def send_file(self, repository, revision, file):
        commit_id = repository.find(revision)
        files = repository.commits[commit_id]
        about = {"X-Repo-Commit": commit_id}
        if file not in files:
            return self.send(404, {**about, "X-Error-Code": "EntryNotFound"})
        content, is_lfs = files[file]
        digest = hashlib.sha256(content).hexdigest()
        tag = digest if is_lfs else hashlib.sha1(content).hexdigest()
        self.send(200, {**about, "ETag": f'"{tag}"'}, content)

    def send(self, status, headers, body=b""):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def run_hub():
    """A server on a free port, as its address and its state."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.state = State()
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.state
    finally:
        server.state.dropped = "/"  # by connections that are still open
        server.shutdown()
        server.server_close()
