{# A value lies outside its bounds, or is no number. What is missing is not judged. #}
{% test between(model, bounds, at) %}
    select *
    from {{ model }}
    where
        {{ is_recent(at) }}
        and not (
            {%- for column, (least, most) in bounds.items() %}
            coalesce({{ column }} between {{ least }} and {{ most }}, true)
            {{ "and" if not loop.last }}
            {%- endfor %}
        )
{% endtest %}
