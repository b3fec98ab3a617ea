"""docs/openapi.json: read, held against the route tables, and asked whether a reply is as it says."""
import json
import pathlib
import re

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PREFIX = "/_parta/v1"
STRING = r'"(?:[^"\\]|\\.)*"'
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Description:
    def __init__(self):
        self.document = json.loads((ROOT / "docs/openapi.json").read_text())
        self.operations = {operation["operationId"]: (method.upper(), path, operation)
                           for path, methods in self.document["paths"].items() for method, operation in methods.items()}
        self.resolver = jsonschema.RefResolver("", self.document)

    def faults(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=jsonschema.FormatChecker())
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]

    def response(self, operation, status):
        responses = self.operations[operation][2]["responses"]
        found = responses.get(str(status)) or (responses["default"] if status >= 400 else None)
        return self.resolver.resolve(found["$ref"])[1] if found and "$ref" in found else found

    def reply_faults(self, operation, answer):
        """What about the answer is not as described: lines."""
        response = self.response(operation, answer.status)
        if response is None:
            return [f"status {answer.status} is not described"]
        kind = (answer.headers.get("content-type") or "").split(";")[0]
        if kind not in response["content"]:
            return [f"{kind} is not described"]
        wrong = [f"header {name} is missing" for name, header in response.get("headers", {}).items()
                 if header.get("required") and answer.headers.get(name) is None]
        schema = response["content"][kind].get("schema")
        return wrong + (self.faults(schema, answer.json) if schema is not None else [])

    def example(self, operation):
        """The example of its body; {} where there is none."""
        return self.operations[operation][2].get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})

    def says_more(self, operation, parameter):
        """Whether the parameter's description says in words (x-parta-also) what its schema cannot."""
        _, _, described = self.operations[operation]
        content = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        while "$ref" in content:
            content = self.resolver.resolve(content["$ref"])[1]
        schemas = [content.get("properties", {}).get(parameter, {})] + [
            p["schema"] for p in described.get("parameters", []) for p in [self.resolver.resolve(p["$ref"])[1] if "$ref" in p else p]
            if p["name"] == parameter]
        return any("x-parta-also" in schema or "x-parta-also" in (self.resolver.resolve(schema["$ref"])[1] if "$ref" in schema else {})
                   for schema in schemas)

    def parameter_faults(self, operation, place, values):
        """What of the values, strings as they are sent, is not as described: names and values; place: "path", "query"."""
        _, _, described = self.operations[operation]
        parameters = {p["name"]: p for p in (self.resolver.resolve(p["$ref"])[1] if "$ref" in p else p
                                             for p in described.get("parameters", [])) if p["in"] == place}
        wrong = [f"{name} is missing" for name, p in parameters.items() if p.get("required") and name not in values]
        for name, value in values.items():
            schema = parameters.get(name, {}).get("schema", False)
            if schema and schema.get("type") in ("integer", "boolean") and re.fullmatch(r"-?\d{1,18}|true|false", value):
                value = json.loads(value)
            wrong += [f"{name}: {fault}" for fault in self.faults(schema, value)]
        return wrong

    def body_faults(self, operation, body):
        content = self.operations[operation][2].get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return [] if body is None or isinstance(body, bytes) else ["no body is described"]
        return self.faults(schema, body if body is not None else {})


def without_comments(text):
    return re.sub(rf"({STRING})|/\*.*?\*/|//[^\n]*", lambda m: m.group(1) or " ", text, flags=re.S)


def flag_names():
    """Of the names made of other flags: what they are made of."""
    return {name: re.findall(r"ROUTE_\w+", of) for file in [*ROOT.glob("policy/**/*.[ch]"), ROOT / "homeserver/http/request.h"]
            for name, of in re.findall(r"(?:#define )?\b(ROUTE_\w+)(?: =)? \(?(ROUTE_[\w |]+)", file.read_text())}


def flags_of(text, names):
    found = set(re.findall(r"ROUTE_\w+", text))
    return found.union(*(flags_of(" ".join(names[flag]), names) for flag in found if flag in names))


def routes():
    """method, path, flags of every route of the school API, wherever it is"""
    names = flag_names()
    for file in sorted([*ROOT.glob("policy/**/*.c"), *ROOT.glob("client-api/*.c")]):
        text = without_comments(file.read_text())
        for method, path, flags in re.findall(rf'\{{\s*HTTP_(\w+)\s*,\s*"({PREFIX}/[^"]*)"\s*,\s*\w+\s*,([^,]*),', text):
            yield method, path[len(PREFIX):], flags_of(flags, names)


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def check_tables(tap, description):
    served = {(method, path): flags for method, path, flags in routes()}
    described = {(method, path) for method, path, _ in description.operations.values()}
    tap.ok(len(served) > 50, "route tables of the school API are found", len(served))
    tap.ok(not set(served) - described, "every route is described", *sorted(set(served) - described))
    tap.ok(not described - set(served), "nothing is described that is not there", *sorted(described - set(served)))
    wrong = [f"{method} {path}" for method, path, operation in description.operations.values()
             if ("application/json" in operation.get("requestBody", {}).get("content", {})) and
             "ROUTE_BODY" not in served.get((method, path), ["ROUTE_BODY"])]
    tap.ok(not wrong, "a route with a described body reads one", *wrong)
    credentials = {"person": "ROUTE_SESSION", "operator": "ROUTE_OPERATOR", None: "ROUTE_ANONYMOUS"}
    wrong = []
    for method, path, operation in description.operations.values():
        told = {credentials[kind] for needed in operation["security"] for kind in (needed or [None])}
        taken = served.get((method, path), set()) & set(credentials.values())
        heard = {"ROUTE_SESSION"} | ({"ROUTE_OPERATOR"} if "ROUTE_PEOPLE" in served.get((method, path), ()) else set())
        if told - taken - {"ROUTE_ANONYMOUS"} or taken - told - heard:  # who is heard and may not is told so
            wrong.append(f"{method} {path}: {sorted(told)}, but taken: {sorted(taken)}")
    tap.ok(not wrong, "who may call is who is heard", *wrong)
    wrong = [f"{file.relative_to(ROOT)}: {refusal}" for file in sorted(ROOT.glob("policy/**/*.c")) for refusal in
             re.findall(r"(?:refuse|error_set)\([^,;]*, ERROR_(?:INVALID_PARAM|MISSING_PARAM|BAD_JSON)[^;]*", file.read_text())
             if "The roster is refused." not in refusal]  # which says what and where in org.parta.problem
    tap.ok(not wrong, "whatever refuses a parameter names it", *wrong)
    effects = r"\b(?:writer_run|source_import_\w+|source_drop_\w+|signup_by_link|signup_abandon|contacts_submit_code)\("
    wrong = [f"{file.name}: {body.split('(')[0].split()[-1]}" for file in sorted(ROOT.glob("policy/api/*.c"))
             for body in re.findall(r"^(?:static )?\w+ \**\w+\([^;{]*\)\n\{.*?^\}", file.read_text(), re.M | re.S)
             if (effect := re.search(effects, body)) and "request_strict(" not in body[:effect.start()]]
    tap.ok(not wrong, "whatever acts has looked for unknown names before", *wrong)
    wrong = [f"{method} {path}" for (method, path), flags in served.items() if "ROUTE_STRICT" not in flags]
    tap.ok(not wrong, "every route tells of names that it does not know", *wrong)


def words(file, pattern):
    return re.findall(pattern, (ROOT / file).read_text())


def check_words(tap, description):
    """Words of the description are those of the code."""
    schemas = description.document["components"]["schemas"]
    roles = words("policy/rules/words.c", r"ROLES\[\] = \{([^}]*)\}")
    told = {"Act": words("policy/rules/rules.c", r'\[ACT_\w+\] = "(\w+)"'),
            "RoomKind": words("policy/rules/words.c", r'\[ROOM_\w+\] = "(\w+)"'),
            "Standing": words("homeserver/base/account_state.c", r'\[ACCOUNT_\w+\] = "(\w+)"'),
            "Role": re.findall(r'"(\w+)"', "".join(roles)),
            "Scope": [w for w in words("policy/gate/operator.c", r'\{"(\w+)", SCOPE_\w+\}') if w != "all"]}
    for name, expected in told.items():
        tap.ok(expected and schemas[name]["enum"] == expected, f"{name}: the words are those of the code", schemas[name]["enum"], expected)


def check(tap, description):
    document = description.document
    tap.ok(document["openapi"].startswith("3.1."), "the description is OpenAPI 3.1")
    tap.ok(len(description.operations) == sum(len(methods) for methods in document["paths"].values()),
           "every operation has an id of its own")
    missing = []
    for reference in set(references(document)):
        try:
            description.resolver.resolve(reference)
        except jsonschema.RefResolutionError:
            missing.append(reference)
    tap.ok(not missing, "every reference leads somewhere", *missing)
    unused = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} - set(references(document))
    tap.ok(not unused, "every schema is used", *unused)
    bad = []
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema({"$schema": DIALECT, **schema})
        except jsonschema.SchemaError as error:
            bad.append(f"{name}: {error.message}")
    tap.ok(not bad, "every schema is one", *bad)
    wrong = [path for path, methods in document["paths"].items() for operation in methods.values()
             if set(re.findall(r"\{(\w+)\}", path)) != {p.get("name") for p in operation.get("parameters", [])
                                                        if p.get("in") == "path"}]
    tap.ok(not wrong, "the parameters of a path are described", *wrong)
    unsaid = [name for name, (_, _, operation) in description.operations.items()
              if not operation.get("summary") or "security" not in operation or not operation.get("tags")]
    tap.ok(not unsaid, "every operation has a summary, a tag and says who may call it", *unsaid)
    bodies = {name: operation["requestBody"]["content"]["application/json"] for name, (_, _, operation) in description.operations.items()
              if "application/json" in operation.get("requestBody", {}).get("content", {})}
    wrong = [f"{name}: {fault}" for name, body in bodies.items()
             for fault in (description.faults(body["schema"], body["example"]) if "example" in body else ["no example"])]
    tap.ok(not wrong, "every body has an example, which is as described", *wrong)
    check_words(tap, description)
    check_tables(tap, description)
