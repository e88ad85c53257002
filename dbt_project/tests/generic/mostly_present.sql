{# More of a column is missing than may be. Columns are named with the least share of values. #}
{% test mostly_present(model, columns, at) %}
    {% for column, share in columns.items() %}
    select
        '{{ column }}' as column_name,
        count({{ column }}) / count(*) as share
    from {{ model }}
    where {{ is_recent(at) }}
    having count({{ column }}) / count(*) < {{ share }}
    {{ "union all" if not loop.last }}
    {% endfor %}
{% endtest %}
