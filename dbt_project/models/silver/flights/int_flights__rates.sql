{#- Rates as they stood at the last daily refresh before a decision: name, days, keys. -#}
{%- set trailing = [
    ("carrier", 14, ["carrier"]),
    ("route", 28, ["carrier", "destination"]),
    ("origin_hour", 28, ["origin", "scheduled_hour"]),
    ("flight_number", 28, ["carrier", "flight_number"]),
] -%}
{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

decisions as (
    select
        flight_id,
        carrier,
        flight_number,
        origin,
        destination,
        scheduled_hour,
        decision_at,
        {{ flights_rates_date('decision_at') }} as rates_date
    from {{ ref('int_flights__conformed') }}
    where {{ in_range('decision_at') }}
),

ages as (
    select cast(unnest(range(28)) as integer) as age_days
),

-- each outcome once for every refresh of the four weeks in which it counts
outcomes as (
    select
        outcomes.carrier,
        outcomes.flight_number,
        outcomes.origin,
        outcomes.destination,
        outcomes.scheduled_hour,
        cast(outcomes.is_disrupted as integer) as disrupted,
        ages.age_days,
        outcomes.known_date + ages.age_days as rates_date
    from {{ ref('int_flights__outcomes') }} as outcomes
    cross join ages
    where
        {{ in_range_since('outcomes.label_known_at', '30 days') }}
        and outcomes.known_date + ages.age_days
        between {{ flights_rates_date(range_start()) }} and {{ flights_rates_date(range_end()) }}
),

{% for days in [14, 28] -%}
overall_{{ days }}d as (
    select
        rates_date,
        {{ flights_shrunk_rate("sum(disrupted)", "count(*)", "null") }} as rate
    from outcomes
    where age_days < {{ days }}
    group by rates_date
),

{% endfor -%}

{% for name, days, keys in trailing -%}
{{ name }}_{{ days }}d as (
    select
        rates_date,
        {% for key in keys -%}
        {{ key }},
        {% endfor -%}
        count(*) as flights,
        sum(disrupted) as disrupted
    from outcomes
    where age_days < {{ days }}
    group by all
),

{% endfor -%}
-- days before the range count as one, as no decision tells them apart
daily as (
    select
        greatest(known_date, {{ flights_rates_date(range_start()) }}) as known_date,
        carrier,
        scheduled_hour,
        sum(flights) as flights,
        sum(disrupted) as disrupted
    from {{ ref('int_flights__daily_outcomes') }}
    group by all
),

-- everything that was known since the beginning
overall_ever as (
    select
        known_date,
        {{ flights_shrunk_rate(
            "sum(sum(disrupted)) over ever", "sum(sum(flights)) over ever", "null"
        ) }} as rate
    from daily
    group by known_date
    window ever as (order by known_date)
),

carrier_hour_ever as (
    select
        known_date,
        carrier,
        scheduled_hour,
        sum(flights) over ever as flights,
        sum(disrupted) over ever as disrupted
    from daily
    window ever as (partition by carrier, scheduled_hour order by known_date)
),

final as (
    select
        decisions.flight_id,
        decisions.decision_at,
        {% for name, days, keys in trailing -%}
        {% set own = name ~ "_" ~ days ~ "d" -%}
        {{ flights_shrunk_rate(
            own ~ ".disrupted", own ~ ".flights", "overall_" ~ days ~ "d.rate"
        ) }} as {{ name }}_rate_{{ days }}d,
        {% endfor -%}
        {{ flights_shrunk_rate(
            "carrier_hour_ever.disrupted", "carrier_hour_ever.flights", "overall_ever.rate"
        ) }} as carrier_hour_rate,
        {{ flights_refreshed_at('decisions.rates_date') }} as known_at
    from decisions
    left join overall_14d on decisions.rates_date = overall_14d.rates_date
    left join overall_28d on decisions.rates_date = overall_28d.rates_date
    {% for name, days, keys in trailing -%}
    {% set own = name ~ "_" ~ days ~ "d" -%}
    left join {{ own }}
        on
            decisions.rates_date = {{ own }}.rates_date
            {% for key in keys -%}
            and decisions.{{ key }} = {{ own }}.{{ key }}
            {% endfor %}
    {% endfor -%}
    asof left join overall_ever on decisions.rates_date >= overall_ever.known_date
    asof left join carrier_hour_ever
        on
            decisions.carrier = carrier_hour_ever.carrier
            and decisions.scheduled_hour = carrier_hour_ever.scheduled_hour
            and decisions.rates_date >= carrier_hour_ever.known_date
)

select * from final
order by decision_at
