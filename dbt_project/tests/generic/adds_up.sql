{# A total is not the sum of its parts, or one of them is missing. #}
{% test adds_up(model, total, parts) %}
    select *
    from {{ model }}
    where ({{ total }} = {{ parts | join(" + ") }}) is distinct from true
{% endtest %}
