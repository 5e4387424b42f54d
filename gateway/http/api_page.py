"""API page: the OpenAPI description as what one page of HTML holds, for people.

`python -m gateway.http.api_page` writes `docs.html` beside `openapi.json`; a test compares the two.
"""

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Node = Mapping[str, Any]
"""An object of the description; OpenAPI's own schema says what is in it."""


def page(api: Node) -> str:
    """Return the description as HTML that needs no script and nothing from outside."""
    parts = [
        _head(api["info"]),
        *_contents(api),
        *_credentials(api),
        *(line for tag in api["tags"] for line in _tag(api, tag)),
        *_schemas(api),
        *_reasons(api),
        "</div>\n</div>\n",
    ]
    return "\n".join(parts)


def _head(info: Node) -> str:
    return (
        f"<h1>{escape(info['title'])}: the API</h1>\n"
        f'<p class="lead">{_prose(info["summary"])}</p>\n<p>{_prose(info["description"])}</p>'
    )


def _contents(api: Node) -> Iterator[str]:
    yield '<div class="api">\n<nav class="contents" aria-label="Contents">\n<ul>'
    yield '<li><a href="#credentials">Credentials</a> that a request needs</li>'
    for tag in api["tags"]:
        yield f"<li>{escape(tag['name'])}\n<ul>"
        for method, path, operation in _operations(api, tag["name"]):
            link = f'<a href="#{operation["operationId"]}"><code>{method} {escape(path)}</code></a>'
            yield f"<li>{link} {_prose(operation['summary'])}</li>"
        yield "</ul></li>"
    yield '<li><a href="#schemas">Schemas</a> of what is sent and answered</li>'
    yield '<li><a href="#reasons">Reasons</a> for a refusal</li>'
    yield '</ul>\n</nav>\n<div class="described">'


def _credentials(api: Node) -> Iterator[str]:
    yield '<h2 id="credentials">Credentials</h2>\n<dl>'
    for name, scheme in api["components"]["securitySchemes"].items():
        yield f"<dt>{escape(name)}</dt>\n<dd>{_prose(scheme['description'])}"
        flow = scheme.get("flows", {}).get("clientCredentials", {})
        if flow:
            yield f"<p>From <code>{escape(flow['tokenUrl'])}</code>, with these scopes:</p>\n<dl>"
            for scope, meaning in flow["scopes"].items():
                yield f"<dt><code>{escape(scope)}</code></dt>\n<dd>{_prose(meaning)}</dd>"
            yield "</dl>"
        yield "</dd>"
    yield "</dl>"


def _tag(api: Node, tag: Node) -> Iterator[str]:
    yield f"<h2>{escape(tag['name'])}</h2>\n<p>{_prose(tag['description'])}</p>"
    for method, path, operation in _operations(api, tag["name"]):
        name = operation["operationId"]
        yield f'<h3 id="{name}"><code>{method} {escape(path)}</code></h3>'
        yield f"<p><strong>{_prose(operation['summary'])}.</strong></p>"
        yield f"<p>{_prose(operation['description'])}</p>"
        yield f"<p>{_needs(operation['security'])}</p>"
        if "parameters" in operation:
            yield "<h4>In the path</h4>\n<dl>"
            for parameter in operation["parameters"]:
                yield f"<dt><code>{escape(parameter['name'])}</code></dt>"
                told = _prose(parameter.get("description", ""))
                yield f"<dd>{told} As in <code>{escape(parameter['example'])}</code>.</dd>"
            yield "</dl>"
        if "requestBody" in operation:
            yield "<h4>Body</h4>"
            yield from _body(operation["requestBody"])
        yield "<h4>Answers</h4>\n<dl>"
        for status, given in operation["responses"].items():
            yield from _answer(api, status, given)
        yield "</dl>"


def _operations(api: Node, tag: str) -> Iterator[tuple[str, str, Node]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield method.upper(), path, operation


def _needs(security: list[Mapping[str, list[str]]]) -> str:
    if not security:
        return "Needs no credentials."
    needed = (" ".join((name, *scopes)) for name, scopes in security[0].items())
    return f"Needs: {escape(', '.join(needed))}."


def _answer(api: Node, status: str, given: Node) -> Iterator[str]:
    response = _resolved(api, given)
    yield f"<dt>{escape(status)}</dt>\n<dd>{_prose(response['description'])}"
    for content in response.get("content", {}).values():
        if reasons := _named_reasons(content["schema"]):
            named = ", ".join(f'<a href="#{reason}">{reason}</a>' for reason in reasons)
            yield f'<p class="reasons">{named}</p>'
    if status.startswith("2"):
        yield from _body(response)
    yield "</dd>"


def _named_reasons(schema: Node) -> list[str]:
    """Return the reasons that a refusal's schema allows, where it narrows them."""
    return [
        reason
        for part in schema.get("allOf", ())
        for reason in part.get("properties", {}).get("reason", {}).get("enum", ())
    ]


def _body(message: Node) -> Iterator[str]:
    if "description" in message and "required" in message:
        yield f"<p>{_prose(message['description'])}</p>"
    for media, content in message.get("content", {}).items():
        yield f"<p><code>{escape(media)}</code>: {_type(content['schema'])}</p>"
        if "example" in content:
            yield f"<pre>{_shown(content['example'])}</pre>"


def _schemas(api: Node) -> Iterator[str]:
    yield '<h2 id="schemas">Schemas</h2>'
    for name, schema in api["components"]["schemas"].items():
        if name == "Reason":
            continue
        yield f'<h3 id="{name}">{name}</h3>'
        if "description" in schema:
            yield f"<p>{_prose(schema['description'])}</p>"
        if "properties" not in schema:
            yield f"<p>{_type(schema)}</p>"
            continue
        yield "<dl>"
        for member, about in schema["properties"].items():
            must = "" if member in schema.get("required", ()) else ", optional"
            told = f": {_prose(about['description'])}" if "description" in about else ""
            yield f"<dt><code>{escape(member)}</code>{must}</dt>\n<dd>{_type(about)}{told}</dd>"
        yield "</dl>"


def _reasons(api: Node) -> Iterator[str]:
    reason = api["components"]["schemas"]["Reason"]
    yield f'<h2 id="reasons">Reasons</h2>\n<p>{_prose(reason["description"])}</p>\n<dl>'
    for one in reason["oneOf"]:
        code = f'<a href="/errors/{one["const"]}"><code>{one["const"]}</code></a>'
        yield f'<dt id="{one["const"]}">{code} ({one["x-status"]}): {escape(one["title"])}</dt>'
        yield f"<dd>{_prose(one['description'])}</dd>"
    yield "</dl>"


def _type(schema: Node) -> str:
    match schema:
        case {"$ref": str(target)}:
            name = target.rpartition("/")[2]
            told = f'<a href="#{"reasons" if name == "Reason" else name}">{name}</a>'
        case {"const": value}:
            told = f"<code>{escape(json.dumps(value))}</code>"
        case {"enum": values}:
            told = " or ".join(f"<code>{escape(value)}</code>" for value in values)
        case {"items": items}:
            told = f"list of {_type(items)}"
        case {"properties": members}:
            told = "object with " + ", ".join(
                f"<code>{escape(member)}</code> {_type(about)}" for member, about in members.items()
            )
        case {"additionalProperties": dict(values)}:
            told = f"object of {_type(values)}"
        case {"type": [*kinds]}:
            told = " or ".join(kinds)
        case _:
            told = str(schema["type"])
    return told + (f" ({schema['format']})" if "format" in schema else "")


def _resolved(api: Node, given: Node) -> Node:
    node: Node = given
    if "$ref" in given:
        node = api
        for part in given["$ref"].removeprefix("#/").split("/"):
            node = node[part]
    return node


def _shown(example: object) -> str:
    whole = (
        example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    )
    return escape(whole)


def _prose(text: str) -> str:
    """Return text as HTML; what stands between backticks is code."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)
    )


if __name__ == "__main__":
    described = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    (HERE / "docs.html").write_text(page(described), encoding="utf-8")
