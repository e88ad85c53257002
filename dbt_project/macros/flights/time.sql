{# Clock at the three airports, from UTC. #}
{% macro flights_local(moment) -%}
    (({{ moment }}) at time zone 'UTC' at time zone '{{ var("flights_time_zone") }}')
{%- endmacro %}

{# UTC, from the clock in `zone`. #}
{% macro to_utc(local_at, zone) -%}
    (({{ local_at }}) at time zone {{ zone }} at time zone 'UTC')
{%- endmacro %}

{# Time since midnight of a clock like 517; 2400 is the midnight that ends the day. #}
{% macro clock(hhmm) -%}
    to_minutes({{ hhmm }} // 100 * 60 + {{ hhmm }} % 100)
{%- endmacro %}

{# Day whose refresh is the last one before a decision. #}
{% macro flights_rates_date(decision_at) -%}
    cast({{ flights_local(decision_at) }} - to_hours({{ var("flights_rates_cut_h") }}) as date)
{%- endmacro %}

{# Moment of a day's refresh. #}
{% macro flights_refreshed_at(rates_date) -%}
    {{ to_utc(
        rates_date ~ " + to_hours(" ~ var("flights_rates_cut_h") ~ ")",
        "'" ~ var("flights_time_zone") ~ "'",
    ) }}
{%- endmacro %}

{# Day whose refresh is the first one to know what became known at `known_at`. #}
{% macro flights_known_date(known_at) -%}
    cast({{ flights_local(known_at) }} + to_hours(24 - {{ var("flights_rates_cut_h") }}) as date)
{%- endmacro %}

{# Whether what the range makes known is first known to a day's refresh. #}
{% macro flights_in_refreshes(known_date) -%}
    {{ known_date }} between {{ flights_known_date(range_start()) }}
    and {{ flights_known_date(range_end()) }}
{%- endmacro %}
