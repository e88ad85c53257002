{#
    Parquet files that other stages write, one per window: `predictions`, `monitoring/<table>`. An
    empty one lies beside the folder from the start, so that the view works before there is any.
    The path is text, because a view outlives the connection's variables. Files of before a column
    was added lack it.
#}
{% macro written_by_stages(folder) -%}
    {%- set query = "select lake from " ~ control() ~ ".build_window" -%}
    {%- set lake = run_query(query).columns[0].values()[0] if execute -%}
    read_parquet('{{ lake }}/{{ folder }}*/*.parquet', union_by_name = true)
{%- endmacro %}
