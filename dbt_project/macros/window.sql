{#
    What a run works on. `ratchet.warehouse.build` writes one row to control.build_window before
    dbt starts; the pre-hook of every model copies it into variables of the model's own connection,
    which DuckDB folds into constants, so that it reads only the row groups it needs.

    lake                       the folder of the use case
    landed                     the landed windows that bronze reads: one key, or * for all
    window_end                 no later window is read
    range_start, range_end     what silver and gold compute

    An analyst's own file has all of history for its window, or what --sample says. Models look as
    far back from there as ever, so that the rows of a sample are those of the whole.
#}
{% macro set_window() %}
    {%- set columns = {
        "lake": "lake",
        "landed": "landed",
        "window_end": "window_end",
        "range_start": "range_start",
        "range_end": "range_end",
    } -%}
    {%- if published() -%}
        {%- do columns.update({"landed": "'*'", "window_end": "range_end"}) -%}
    {%- endif -%}
    {%- do columns.update(computed_range()) -%}
    {%- for name, column in columns.items() %}
    set variable {{ name }} = (select {{ column }} from {{ control() }}.build_window);
    {%- endfor %}
{% endmacro %}

{# Both ends of what a run computes, as columns of control.build_window. #}
{% macro computed_range() -%}
    {%- if not published() -%}
        {%- do return({"range_start": "range_start", "range_end": "range_end"}) -%}
    {%- elif not sample() -%}
        {%- do return({"range_start": "history_start", "range_end": "range_end"}) -%}
    {%- endif -%}
    {%- do return({
        "range_start": "greatest(history_start, timestamp '" ~ naive(sample().start) ~ "')",
        "range_end": "least(range_end, timestamp '" ~ naive(sample().end) ~ "')",
    }) -%}
{%- endmacro %}

{# What --sample asks for: its start and end. #}
{% macro sample() -%}
    {%- do return(invocation_args_dict["sample"]) -%}
{%- endmacro %}

{# A relation as an analyst sees it: what lies outside of a sample is what was published. #}
{% macro beyond_sample(relation, columns) -%}
    {%- if published() and sample() -%}
        (
            select {{ columns }} from {{ relation }}
            union all
            select {{ columns }} from {{ relation.incorporate(path={"database": published()}) }}
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro naive(moment) -%}
    {{ moment.strftime("%Y-%m-%d %H:%M:%S") }}
{%- endmacro %}

{# The attached copy of what the pipeline published; nothing in the pipeline itself. #}
{% macro published() -%}
    {{- target.attach[0].alias if target.attach -}}
{%- endmacro %}

{# The schema in which a build says what it works on. #}
{% macro control() -%}
    "{{ published() or target.database }}".control
{%- endmacro %}

{# What the spec says that errors cost. #}
{% macro costs() %}{{ control() }}.costs{% endmacro %}

{% macro window_end() %}getvariable('window_end'){% endmacro %}

{% macro range_start() %}getvariable('range_start'){% endmacro %}

{% macro range_end() %}getvariable('range_end'){% endmacro %}

{# Whether a landed window is read. No pattern: DuckDB skips what can't be equal, and so history. #}
{% macro in_landed(window) -%}
    (getvariable('landed') = '*' or {{ window }} = getvariable('landed'))
{%- endmacro %}

{# Whether a moment falls into what is computed. #}
{% macro in_range(moment) -%}
    {{ moment }} >= {{ range_start() }} and {{ moment }} < {{ range_end() }}
{%- endmacro %}

{# Whether a moment lies before the end of the range, and at most `lookback` before its start. #}
{% macro in_range_since(moment, lookback) -%}
    {{ moment }} >= {{ range_start() }} - interval '{{ lookback }}' and {{ moment }} < {{ range_end() }}
{%- endmacro %}

{#
    Whether a local day may belong to the range. It takes a day more on each side to hold the range
    in any time zone, and `lookback` days to hold what came before it.
#}
{% macro in_days(day, lookback) -%}
    {{ day }} between cast({{ range_start() }} as date) - {{ lookback }}
    and cast({{ range_end() }} as date) + 1
{%- endmacro %}

{# Whether a moment falls into the range: for tests, which no hook runs before. #}
{% macro is_recent(moment) -%}
    {%- set bounds = computed_range() -%}
    {{ moment }} >= (select {{ bounds["range_start"] }} from {{ control() }}.build_window)
    and {{ moment }} < (select {{ bounds["range_end"] }} from {{ control() }}.build_window)
{%- endmacro %}
