"""What rules may not do is found by name before either engine sees them."""

import pytest

from gateway.policy.lint import lint

HEAD = 'package exchange\n\ndefault decision := {"allow": false}\n\n'


def faults(body: str, **files: str) -> list[str]:
    rules = {"exchange/decision.rego": HEAD + body, **files}
    return [str(fault) for fault in lint(rules)]


@pytest.mark.parametrize(
    "body",
    [
        'decision := {"allow": true} if count(input.a) == 1\n',
        'decision := {"allow": true} if helper(input.a)\n\nhelper(a) if a == 1\n',
        "decision := sort(object.keys(input.a) | {1, 2})\n",
        'decision := input.a if not input["b"]\n',
        "# time.now_ns() and http.send are only named here\ndecision := 1 if input.a\n",
        'decision := "time.now_ns()" if input.a\n',
        "decision := `http.send(`\n",
        "decision := 1 if {\n\tsome a, true in input.a\n\ta == 1\n}\n",
    ],
)
def test_plain_rules_pass(body: str) -> None:
    assert faults(body) == []


@pytest.mark.parametrize(
    "call",
    [
        'http.send({"url": "x"})', "time.now_ns()", 'time.parse_rfc3339_ns("x")', "time.diff(1, 2)",
        'rand.intn("a", 3)', "opa.runtime()", "rego.metadata.chain()", "rego.metadata.rule()",
        'rego.parse_module("a", "b")', 'net.lookup_ip_addr("a")', 'net.cidr_contains("a", "b")',
        'trace("a")', 'print("a")', "numbers.range(1, 9)", "numbers.range_step(1, 9, 2)",
        "walk(input)", "graph.reachable({}, {})", 'io.jwt.decode("a")',
        'io.jwt.verify_es256("a", "b")', 'uuid.rfc4122("a")', 'lower("A")', 'upper("a")',
        'crypto.sha256("a")', 'regex.match("a", "b")', 'sprintf("%s", ["a"])', "json.patch({}, [])",
        "format_int(1, 2)", 'yaml.unmarshal("a")', 'glob.match("a", [], "b")', "units.parse(1)",
        'urlquery.encode("a")', "providers.aws.sign_req({}, {}, 1)", "strings.count(1, 2)",
        "made.up(1)", "made_up(1)",
    ],
)  # fmt: skip
def test_a_call_that_is_not_allowed_is_found(call: str) -> None:
    name = call.partition("(")[0]
    for written in (call, call.replace("(", " (", 1), call.replace("(", "\n(", 1)):
        found = faults(f"decision := 1 if {written} == 1\n")
        assert any(f"exchange/decision.rego:5: `{name}`" in line for line in found), written


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('decision := opa["runtime"]()\n', "`opa.runtime` is not allowed"),
        ("decision := opa[`runtime`]()\n", "`opa.runtime` is not allowed"),
        ('decision := http [ "send" ] ({})\n', "`http.send` is not allowed"),
        ("decision := input.calls[0](1)\n", "called by its plain name"),
        ("decision := (count)([1])\n", "called by its plain name"),
        ('decision := $"{opa.runtime()}"\n', "template strings"),
        ("decision := $`{1}`\n", "template strings"),
        ("decision := count([1]) with count as http.send\n", "`with` is for tests"),
        ("decision := 1 with input as {}\n", "`with` is for tests"),
        ("walk(a) if a\n\ndecision := walk(1)\n", "`walk` is not allowed"),
        ("decision := data\n", "no data beside the input"),
        ("decision := data[input.a]\n", "must go on to name a rule"),
        ("decision := data.secrets.a\n", "no data beside the input"),
        ("decision := data.exchange\n", "must go on to name a rule"),
        ("decision := data.exchange[input.a]\n", "must go on to name a rule"),
        ("decision := data.exchange.decisoin\n", "is it a typo?"),
        ("import data.secrets\n\ndecision := 1\n", "nothing else is imported"),
        ("import input.a\n\ndecision := 1\n", "nothing else is imported"),
        ("import future.keywords\n\ndecision := 1\n", "nothing else is imported"),
        ("import data.exchange as http\n\ndecision := 1\n", "`as` is for tests"),
        ("decision := 9007199254740993\n", "number is too large"),
        ("decision := 1e999999999999999\n", "number is too large"),
        ('decision := "a\\u0041"\n', "backslash"),
        ("decision := 1 if not blokced\n", "`blokced` is nothing here"),
        ("decision := 1 if a\n\na if b\n\nb if a\n", "`a` depends on itself"),
        ("decision := data.exchange.decision\n", "`decision` depends on itself"),
        ("package exchange\n\ndecision := 1\n", "exactly one package"),
    ],
)
def test_what_a_rule_may_not_say_is_found(body: str, sentence: str) -> None:
    assert any(sentence in line for line in faults(body)), faults(body)


def test_the_directory_is_the_package() -> None:
    found = faults(
        "decision := 1\n", **{"exchange/consent/consent.rego": "package other\n\na := 1\n"}
    )
    assert found == [
        (
            "exchange/consent/consent.rego:1: the package must be `exchange.consent`, "
            "as the directory says"
        )
    ]


def test_a_file_without_a_package_is_found() -> None:
    assert any(
        "exactly one package" in line
        for line in faults("decision := 1\n", **{"exchange/a/a.rego": "a := 1\n"})
    )


def test_a_rule_of_another_package_is_found_when_it_is_misspelt() -> None:
    found = faults(
        "import data.exchange.a\n\ndecision := 1 if not a.blokced\n",
        **{"exchange/a/a.rego": "package exchange.a\n\nblocked if input.b\n"},
    )
    assert found == ["exchange/decision.rego:7: `exchange.a.blokced` is no rule: is it a typo?"]


def test_a_cycle_through_another_package_is_found() -> None:
    found = faults(
        "import data.exchange.a\n\ndecision := 1 if a.b\n",
        **{"exchange/a/a.rego": "package exchange.a\n\nb if data.exchange.decision\n"},
    )
    assert "exchange/a/a.rego:3: `b` depends on itself" in found


def test_a_package_is_not_named_as_a_built_in_is() -> None:
    found = faults(
        "import data.exchange.object\n\ndecision := object.get\n",
        **{"exchange/object/o.rego": "package exchange.object\n\nget := 1\n"},
    )
    assert any("must not be named `object`" in line for line in found)


def test_rules_without_a_decision_are_found() -> None:
    assert [str(f) for f in lint({"exchange/decision.rego": "package exchange\n\na := 1\n"})] == [
        "exchange/decision.rego:1: the rule `decision` is missing"
    ]
