{# A row of the range has a key that is not complete, or that another row has too. #}
{% test unique_combination(model, columns, at=none) %}
    {%- set keys = columns | join(", ") %}
    {%- set is_incomplete = columns | join(" is null or ") ~ " is null" %}
    select {{ keys }}, count(*) as number_of_rows
    from {{ model }}
    {%- if at %}
    where
        ({{ keys }}) in (select ({{ keys }}) from {{ model }} where {{ is_recent(at) }})
        or (({{ is_incomplete }}) and {{ is_recent(at) }})
    {%- endif %}
    group by all
    having count(*) > 1 or {{ is_incomplete }}
{% endtest %}
