{# Something was known only after the moment at which it was used. #}
{% test known_by(model, columns, moment) %}
    select *
    from {{ model }}
    where
        {{ is_recent(moment) }}
        and greatest({{ columns | join(", ") }}) > {{ moment }}
{% endtest %}
