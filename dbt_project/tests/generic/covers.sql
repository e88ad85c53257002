{# A row of another table should stand in this one, and does not: a join lost it. #}
{% test covers(model, to, key, at) %}
    select expected.{{ key }}
    from {{ to }} as expected
    anti join {{ model }} as found on expected.{{ key }} = found.{{ key }}
    where {{ is_recent("expected." ~ at) }}
{% endtest %}
