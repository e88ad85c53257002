{# A value is not greater than the one before it, of its own group. #}
{% test rises(model, column, along, by) %}
    {%- set groups = by | join(", ") %}
    with

    neighbours as (
        select
            {{ groups }},
            {{ along }},
            {{ column }},
            lag({{ column }}) over (partition by {{ groups }} order by {{ along }}) as before
        from {{ model }}
        where {{ is_recent(along) }}
    )

    select * from neighbours
    where {{ column }} <= before
{% endtest %}
