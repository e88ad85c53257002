{#
    A row of the range has a key that is not complete, or that another row has too. The bounds of
    the range's keys spare reading all of history where keys grow with time.
#}
{% test unique_combination(model, columns, at=none) %}
    {%- set keys = columns | join(", ") %}
    {%- set is_incomplete = columns | join(" is null or ") ~ " is null" %}
    with

    recent as (
        select {{ keys }}
        from {{ model }}
        {{ "where " ~ is_recent(at) if at }}
    ),

    alike as (
        {% if at -%}
        select {{ keys }}
        from {{ model }}
        where
            {{ columns[0] }} between (select min({{ columns[0] }}) from recent)
            and (select max({{ columns[0] }}) from recent)
            and ({{ keys }}) in (select ({{ keys }}) from recent)
        union all
        select {{ keys }}
        from recent
        where {{ is_incomplete }}
        {%- else -%}
        select {{ keys }}
        from recent
        {%- endif %}
    )

    select {{ keys }}, count(*) as number_of_rows
    from alike
    group by all
    having count(*) > 1 or {{ is_incomplete }}
{% endtest %}
