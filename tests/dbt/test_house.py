"""What a layer obliges to, read from dbt's manifest."""

import copy
import re

import pytest

LAYERS = {
    "bronze": r"stg_\w+__\w+",
    "silver": r"int_\w+__\w+",
    "gold": r"(fct|dim|feat|mart|mon)_\w+",
}


def faults(models, fault):
    """Return what is wrong with any model, and make sure that there are models."""
    assert len(models) > 20
    return [f"{name}: {text}" for name, model in models.items() if (text := fault(model))]


def layer(model):
    return model.path.split("/")[0]


def checks_of(manifest, model):
    return [
        node
        for node in manifest.nodes.values()
        if str(node.resource_type) == "test" and model.unique_id in node.depends_on.nodes
    ]


def test_models_have_the_folder_schema_tag_and_name_of_their_layer(models):
    def fault(model):
        found = layer(model)
        if not re.fullmatch(LAYERS[found], model.name):
            return f"is in {found}: name it {LAYERS[found]}"
        if (model.schema, model.tags) != (found, [found]):
            return f"schema {model.schema} and tags {model.tags} are not those of its folder"
        return None

    assert faults(models, fault) == []


def test_bronze_alone_reads_sources_one_each_and_nothing_else(models):
    def fault(model):
        kinds = [identifier.split(".")[0] for identifier in model.depends_on.nodes]
        if layer(model) == "bronze":
            return None if kinds == ["source"] else f"bronze reads one source, not {kinds}"
        return "only bronze reads sources; ref its model" if "source" in kinds else None

    assert faults(models, fault) == []


def test_nodes_of_a_use_case_are_there_for_that_one_alone(manifest):
    nodes = [*manifest.nodes.values(), *manifest.sources.values()]
    looked = set()
    for node in nodes:
        for use_case in ("flights", "block_time"):
            if (
                use_case in node.original_file_path.split("/")
                and "enabled" in node.unrendered_config
            ):
                assert f"('{use_case}', '*')" in node.unrendered_config["enabled"], node.unique_id
                looked.add((use_case, str(node.resource_type)))
    missing = [
        node.unique_id
        for node in nodes
        if str(node.resource_type) in ("model", "source")
        and "_shared" not in node.original_file_path
        and "enabled" not in node.unrendered_config
    ]
    assert not missing, f"{missing}: give their folder +enabled in dbt_project.yml, as others have"
    assert len(looked) >= 4


def test_models_read_no_layer_above_their_own(models):
    order = list(LAYERS)

    def fault(model):
        names = [i.split(".")[-1] for i in model.depends_on.nodes if i.startswith("model.")]
        above = [n for n in names if order.index(layer(models[n])) > order.index(layer(model))]
        return f"reads {above}, which stand above it" if above else None

    assert faults(models, fault) == []


def test_descriptions_say_what_a_row_is(models):
    def fault(model):
        return None if model.description.startswith("One row per ") else "begin with 'One row per'"

    assert faults(models, fault) == []


def test_silver_has_key_tests(manifest, models):
    def fault(model):
        if layer(model) != "silver":
            return None
        names = [
            test.test_metadata.name for test in checks_of(manifest, model) if test.test_metadata
        ]
        return None if "unique_combination" in names else "test its key with unique_combination"

    assert faults(models, fault) == []


def unordered(model):
    """Return what is wrong with the order of a model's rows; None if nothing is.

    Built with all of history at once, a table in no order has all times in each of its row groups,
    and a later window that needs a few of them reads all.
    """
    if layer(model) == "bronze" or model.config.materialized != "incremental":
        return None
    (predicate,) = model.config["incremental_predicates"]
    last = model.raw_code.splitlines()[-1].removeprefix("order by ")
    is_ordered = re.search(rf"\b{re.escape(last)}\b", predicate)
    return None if is_ordered else f"end with the order of what is replaced: {predicate}"


def test_models_that_replace_a_range_keep_its_order(models):
    assert faults(models, unordered) == []


def test_models_without_order_are_found(models):
    model = copy.deepcopy(models["feat_flights"])
    model.raw_code = model.raw_code.removesuffix("order by decision_at")
    assert unordered(model).startswith("end with the order of what is replaced")


def test_silver_with_logic_has_unit_tests(manifest, models):
    tested = {test.model for test in manifest.unit_tests.values()}

    def fault(model):
        if layer(model) != "silver" or "case" not in model.raw_code.lower():
            return None
        return None if model.name in tested else "test its logic in _unit_tests.yml"

    assert faults(models, fault) == []
    assert len(tested) >= 7


def test_gold_is_a_contract_with_an_owner(models, flights_spec):
    def fault(model):
        if layer(model) != "gold":
            return None
        if not model.config.contract.enforced:
            return "gold needs an enforced contract"
        if model.config.meta.get("owner") != flights_spec.owner.name:
            return "meta needs the owner that the spec has"
        bare = [c.name for c in model.columns.values() if not (c.description and c.data_type)]
        return f"columns {bare} need a description and a data_type" if bare else None

    assert faults(models, fault) == []


def test_models_and_columns_are_described_only_if_they_exist(manifest, models):
    described = {name for source in manifest.files.values() for name in _described(source)}
    assert described <= set(models), f"described, but no model: {described - set(models)}"


def _described(file):
    contents = getattr(file, "dict_from_yaml", None) or {}
    return [model["name"] for model in contents.get("models", [])]


@pytest.mark.parametrize("use_case", ["flights", "block_time"])
def test_sources_have_the_freshness_of_the_spec(manifest, use_case, request):
    """In hours before the window's end: a warning from max_silence_h on, an error a day later."""
    spec = request.getfixturevalue(f"{use_case}_spec")
    declared = {
        source.name: (source.loaded_at_field, source.freshness)
        for source in manifest.sources.values()
        if source.source_name == use_case
        and source.freshness
        and source.freshness.warn_after.count is not None
    }
    promised = {name: feed for name, feed in spec.feeds.items() if feed.sla}
    assert declared.keys() == promised.keys()
    assert len(promised) >= 2
    for name, feed in promised.items():
        loaded_at, freshness = declared[name]
        assert feed.event_time in loaded_at, name
        for limit, hours in ((freshness.warn_after, 0), (freshness.error_after, 24)):
            assert str(limit.period) == "hour", name
            assert limit.count == feed.sla.max_silence_h + hours, name


def unreasoned(tests):
    """Return tests that can find something and block nothing, and do not say why."""
    blocks = ("error", "!= 0", "!= 0")
    return [
        test.name
        for test in tests
        if (str(test.config.severity).lower(), test.config.warn_if, test.config.error_if) != blocks
        and not test.config.meta.get("reason")
    ]


def test_data_tests_block_unless_they_say_why_not(manifest):
    tests = [n for n in manifest.nodes.values() if str(n.resource_type) == "test"]
    assert len(tests) > 10
    assert unreasoned(tests) == [], "let it block, or give meta: {reason: ...}"


@pytest.mark.parametrize("change", [{"severity": "warn"}, {"error_if": "> 10"}])
def test_data_tests_that_warn_without_a_reason_are_found(manifest, change):
    test = next(n for n in manifest.nodes.values() if str(n.resource_type) == "test")
    lenient = copy.deepcopy(test)
    for name, value in change.items():
        setattr(lenient.config, name, value)
    assert unreasoned([test, lenient]) == [test.name]
    lenient.config.meta = {"reason": "it is an estimate"}
    assert unreasoned([test, lenient]) == []


def test_generic_tests_are_described_and_used(manifest):
    described = {
        macro.name.removeprefix("test_"): macro.description
        for macro in manifest.macros.values()
        if macro.package_name == "ratchet" and macro.name.startswith("test_")
    }
    used = {
        node.test_metadata.name
        for node in manifest.nodes.values()
        if getattr(node, "test_metadata", None)
    }
    assert len(described) >= 10
    assert [name for name, text in described.items() if not text] == []
    assert set(described) == used
