{# A row refers to one that another table does not have. #}
{% test found_in(model, to, key, at) %}
    select referring.{{ key }}
    from {{ model }} as referring
    anti join {{ to }} as referred on referring.{{ key }} = referred.{{ key }}
    where {{ is_recent("referring." ~ at) }}
{% endtest %}
