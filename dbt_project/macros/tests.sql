{#
    In the pipeline, a test that finds rows does not keep dbt from going on: which tables it blocks
    is said by ratchet.warehouse, from the test's severity. For people, dbt is as ever.
#}
{% macro duckdb__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    select
        {{ fail_calc }} as failures,
        {{ fail_calc }} {{ warn_if }} as should_warn,
        {{ fail_calc ~ " " ~ error_if if published() else "false" }} as should_error
    from (
        {{ main_sql }}
        {{ "limit " ~ limit if limit != none }}
    ) as found
{%- endmacro %}
