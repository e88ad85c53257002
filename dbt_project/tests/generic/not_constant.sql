{# A column has the same value in many rows, as that of an instrument that is stuck. #}
{% test not_constant(model, columns, least_rows, at) %}
    {% for column in columns %}
    select
        '{{ column }}' as column_name,
        count({{ column }}) as number_of_rows
    from {{ model }}
    where {{ is_recent(at) }}
    having
        count({{ column }}) >= {{ least_rows }}
        and min({{ column }}) = max({{ column }})
    {{ "union all" if not loop.last }}
    {% endfor %}
{% endtest %}
