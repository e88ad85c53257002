{#
    Parquet files that other stages write, one per window: `predictions`, `monitoring/<table>`. An
    empty one lies beside the folder from the start, so that the view works before there is any, and
    says what the columns are: files of before one was added lack it. With the columns written out,
    making a view opens none of the files, of which each window adds some. The path is text, because
    a view outlives the connection's variables.
#}
{% macro written_by_stages(folder) -%}
    {%- set query = "select lake from " ~ control() ~ ".build_window" -%}
    {%- set path = run_query(query).columns[0].values()[0] ~ "/" ~ folder if execute -%}
    {%- set describe = "describe from read_parquet('" ~ path ~ ".none/none.parquet')" -%}
    {%- set columns = run_query(describe).rows if execute else [] -%}
    read_parquet('{{ path }}*/*.parquet', schema = map {
        {%- for column in columns %}
        '{{ column[0] }}': {name: '{{ column[0] }}', type: '{{ column[1] }}', default_value: null}
        {{- "," if not loop.last }}
        {%- endfor %}
    })
{%- endmacro %}
