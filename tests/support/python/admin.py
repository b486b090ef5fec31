# SPDX-License-Identifier: Apache-2.0
"""A served authority with somebody of each role, and requests to its administration."""
import json

from served import Served

API = "/api/v1"
ROLES = ("auditor", "operator", "admin")


class Administered(Served):
    def __init__(self, mutual, gateway, tmp_path, **more):
        super().__init__(mutual, gateway, tmp_path, authority={
            "admins": [{"role": role, "who": {"spiffe": f"spiffe://example.org/user/{role}"},
                        "owner": "tests", "why": "testing"} for role in ROLES]}, **more)
        self.people = {name: self.issue(name, "--profile", "user") for name in (*ROLES, "nobody")}
        self.serve()

    def api(self, method, path, body=None, who="admin", fields=None, on=None, raw=None):
        """One request as `who`; None: without a certificate."""
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"} if data else {}
        return self.call(method, API + path, data, pair=self.people[who] if who else None,
                         fields={**head, **(fields or {})}, on=on)

    def get(self, path, who="auditor", status=200, **more):
        reply = self.api("GET", path, who=who, **more)
        assert reply.status == status, reply.body
        return reply.json()

    def refused(self, status, code, reply):
        assert reply.status == status and reply.json()["code"] == code, (reply.status, reply.body)
        assert reply.fields["content-type"] == "application/problem+json"
        return reply.json()
