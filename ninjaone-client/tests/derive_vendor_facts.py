#!/usr/bin/env python3
"""Derives vendor.json from the vendor's OpenAPI document: paths, parameters, field names, types and values, no prose.

usage: derive_vendor_facts.py OPENAPI.yaml ENDPOINTS.txt > vendor.json

ENDPOINTS.txt names the GET endpoints, one a line, each behind `typed` or `hatch`. Needs PyYAML. Run it when the vendor
publishes a new document; the tests then say what the crate lacks.
"""
import json
import sys

import yaml

# Answers the document does not describe, and the schema their rows were seen or are taken to follow.
UNDESCRIBED = {
    "/v2/noderole/list": {"list": {"schema": "NodeRolePublicApiDTO"}},
    "/v2/custom-fields": {"schema": "CustomFieldsPage"},
    "/v2/software-license/licenses": {"list": {"schema": "SoftwareLicenseDTO"}},
    "/v2/software-license/{licenseId}/assignments": {"list": {"schema": "LicenseAssignmentListDTO"}},
}

document = yaml.load(open(sys.argv[1]), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
schemas = document["components"]["schemas"]
enums, enum_names, wanted, facts = {}, {}, [], {}


def kind(schema, place):
    if schema is None:
        return "any"
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        if "enum" in schemas[name]:
            return kind(schemas[name], name)
        want(name)
        return {"schema": name}
    if "enum" in schema:
        values = tuple(schema["enum"])
        name = enum_names.setdefault(values, place)
        enums[name] = list(values)
        return {"enum": name}
    if schema.get("type") == "array":
        return {"list": kind(schema.get("items"), place)}
    if schema.get("type") == "object":
        extra = schema.get("additionalProperties")
        return {"map": kind(extra, place)} if isinstance(extra, dict) and extra.get("type") != "object" else "any"
    return schema.get("type", "any")


def want(name):
    if name not in wanted:
        wanted.append(name)
        facts[name] = fields(name)


def fields(name):
    def of(schema, found):
        if "$ref" in schema:
            of(schemas[schema["$ref"].split("/")[-1]], found)
        for part in schema.get("allOf", []):
            of(part, found)
        for field, value in schema.get("properties", {}).items():
            found[field] = kind(value, f"{name}.{field}")
        return found

    return of(schemas[name], {})


def subtypes(name):
    return [
        other
        for other, schema in schemas.items()
        if any(part.get("$ref", "").endswith(f"/{name}") for part in schema.get("allOf", []))
    ]


schemas["CustomFieldsPage"] = {
    "properties": {
        **schemas["SupportPaginationResponse"]["properties"],
        "results": {"type": "array", "items": {"$ref": "#/components/schemas/AttributePublicApiDTO"}},
    }
}
endpoints = []
for line in open(sys.argv[2]):
    words = line.split()
    if not words or words[0] not in ("typed", "hatch"):
        continue
    how, path = words[:2]
    if how == "hatch":
        endpoints.append({"path": path, "typed": False})
        continue
    get = document["paths"][path]["get"]
    responses = get["responses"]
    content = (responses.get("200") or responses.get("default")).get("content") or {}
    answer = next(iter(content.values()), {}).get("schema")
    place = f"{path} parameters"
    endpoints.append(
        {
            "path": path,
            "typed": True,
            "parameters": [parameter["name"] for parameter in get.get("parameters", []) if parameter["in"] == "query"],
            "answer": UNDESCRIBED.get(path) or kind(answer, place),
        }
    )
    for undescribed in [UNDESCRIBED.get(path)]:
        if undescribed:
            want((undescribed.get("list") or undescribed)["schema"])
for name in list(wanted):
    if schemas[name].get("discriminator"):
        for subtype in subtypes(name):
            want(subtype)
variants = {name: subtypes(name) for name in wanted if schemas[name].get("discriminator")}
json.dump(
    {
        "document": document["info"]["title"] + " " + document["info"]["version"],
        "endpoints": endpoints,
        "schemas": facts,
        "variants": variants,
        "enums": enums,
    },
    sys.stdout,
    indent=1,
    sort_keys=True,
)
print()
