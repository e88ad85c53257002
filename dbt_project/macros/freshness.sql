{# Fresh means: at the end of the window. Time is the window's, so that a replay of 2013 is fresh. #}
{% macro duckdb__collect_freshness(source, loaded_at_field, filter) %}
    {% call statement("collect_freshness", fetch_result=True, auto_begin=False) -%}
        {{ set_window() }}
        select
            max({{ loaded_at_field }}) as max_loaded_at,
            {{ window_end() }} as snapshotted_at
        from {{ source }}
        {{ "where " ~ filter if filter }}
    {%- endcall %}
    {{ return(load_result("collect_freshness")) }}
{% endmacro %}
