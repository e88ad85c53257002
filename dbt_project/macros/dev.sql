{#
    In an analyst's own file, whatever is not built there is a view of what was published: any
    model can be built, tested or shown alone, and reads its inputs from there. A table or view of
    one's own comes first; deleting the file brings back the published ones.
#}
{% macro mirror_published() -%}
    {%- if execute and published() -%}
        {%- do refuse_empty_sample() -%}
        {%- set query -%}
            with relations as (
                select database_name, schema_name, table_name, null as comment
                from duckdb_tables()
                union all
                select database_name, schema_name, view_name, comment
                from duckdb_views()
                where not internal
            )
            select schema_name, table_name
            from relations
            where database_name = '{{ published() }}'
            except
            select schema_name, table_name
            from relations
            where database_name = '{{ target.database }}' and comment is distinct from 'published'
            order by all
        {%- endset -%}
        {%- for schema, name in run_query(query).rows %}
            {%- set mirror = api.Relation.create(target.database, schema, name, type="view") -%}
            {%- do adapter.cache_added(mirror) %}
            create schema if not exists {{ mirror.without_identifier() }};
            create or replace view {{ mirror }} as
            select * from {{ mirror.incorporate(path={"database": published()}) }};
            comment on view {{ mirror }} is 'published';
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# `--sample "3 days"` counts from today, and what is published may end in another year. #}
{% macro refuse_empty_sample() -%}
    {%- if sample() -%}
        {%- set bounds = computed_range() -%}
        {%- set query -%}
            select history_start, range_end, {{ bounds["range_start"] }} < {{ bounds["range_end"] }}
            from {{ control() }}.build_window
        {%- endset -%}
        {%- set start, end, is_some = run_query(query).rows[0].values() -%}
        {%- if not is_some -%}
            {%- do exceptions.raise_compiler_error(
                "the sample " ~ naive(sample().start) ~ " to " ~ naive(sample().end)
                ~ " holds nothing of what is published, " ~ start ~ " to " ~ end
                ~ "; name days of it: --sample \"{start: '2013-01-01', end: '2013-01-08'}\""
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# `dbt show` runs no hooks. #}
{% macro get_show_sql(compiled_code, sql_header, limit) -%}
    {%- do run_query(mirror_published() or "select 1") -%}
    {%- do run_query(set_window()) -%}
    {{ get_limit_subquery_sql(compiled_code, limit) }}
{%- endmacro %}
