{#
    Share of disrupted flights, drawn towards another share where there are few: towards the overall
    one or, before any outcome is known, the prior one.
#}
{% macro flights_shrunk_rate(disrupted, flights, towards) -%}
    (
        coalesce({{ disrupted }}, 0)
        + {{ var("flights_pseudo_flights") }} * coalesce({{ towards }}, {{ var("flights_prior_rate") }})
    ) / (coalesce({{ flights }}, 0) + {{ var("flights_pseudo_flights") }})
{%- endmacro %}
