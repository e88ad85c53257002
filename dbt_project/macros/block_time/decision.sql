{# Moment at which a day's flights are planned: the day before, at a fixed hour (UTC). #}
{% macro block_time_decided_at(flight_date) -%}
    cast({{ flight_date }} as timestamp) - to_hours(24 - {{ var("block_time_decision_h") }})
{%- endmacro %}

{# First day whose flights are planned when something is known. #}
{% macro block_time_first_date(known_at) -%}
    cast({{ known_at }} + to_hours(48 - {{ var("block_time_decision_h") }}) - interval '1 microsecond' as date)
{%- endmacro %}

{# Minutes in the air by distance alone, as a flight planning book has them. #}
{% macro block_time_booked_min(distance_mi) -%}
    {{ var("block_time_book_overhead_min") }}
    + {{ distance_mi }} / {{ var("block_time_book_speed_mi_min") }}
{%- endmacro %}
