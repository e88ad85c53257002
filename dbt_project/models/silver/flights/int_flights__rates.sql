{#- Trailing rates of disrupted flights, as they stood at the last daily refresh before a decision. -#}
{%- set trailing = [
    ("carrier", "14", ["carrier"]),
    ("route", "28", ["carrier", "destination"]),
    ("origin_hour", "28", ["origin", "scheduled_hour"]),
    ("flight_number", "28", ["carrier", "flight_number"]),
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
    cross join (select cast(unnest(range(28)) as integer) as age_days) as ages
    where
        {{ in_range_since('outcomes.label_known_at', '30 days') }}
        and outcomes.known_date + ages.age_days
        between {{ flights_rates_date(range_start()) }} and {{ flights_rates_date(range_end()) }}
),

{% for days in [14, 28] -%}
overall_{{ days }}d as (
    select
        rates_date,
        count(*) as flights,
        sum(disrupted) as disrupted
    from outcomes
    where age_days < {{ days }}
    group by all
),

{% endfor -%}
{% for name, days, keys in trailing %}
{{ name }}_{{ days }}d as (
    select rates_date, {{ keys | join(", ") }}, count(*) as flights, sum(disrupted) as disrupted
    from outcomes
    where age_days < {{ days }}
    group by all
),
{% endfor %}
-- everything that was known since the beginning
so_far as (
    select
        known_date,
        sum(sum(flights)) over everything as flights,
        sum(sum(disrupted)) over everything as disrupted
    from {{ ref('int_flights__daily_outcomes') }}
    group by known_date
    window everything as (order by known_date)
),

carrier_hour_so_far as (
    select
        known_date,
        carrier,
        scheduled_hour,
        sum(flights) over everything as flights,
        sum(disrupted) over everything as disrupted
    from {{ ref('int_flights__daily_outcomes') }}
    window everything as (partition by carrier, scheduled_hour order by known_date)
),

joined as (
    select
        decisions.flight_id,
        decisions.decision_at,
        {{ to_utc(
            "decisions.rates_date + interval '" ~ var("flights").rates_cut_h ~ " hours'",
            "'" ~ var("flights").time_zone ~ "'",
        ) }} as known_at,
        {% for days in [14, 28] -%}
        {% set overall = "overall_" ~ days ~ "d" -%}
        {{ flights_overall_rate(overall ~ ".disrupted", overall ~ ".flights") }} as {{ overall }}_rate,
        {% endfor -%}
        {{ flights_overall_rate("so_far.disrupted", "so_far.flights") }} as so_far_rate,
        {% for name, days, keys in trailing -%}
        {% set group = name ~ "_" ~ days ~ "d" -%}
        {{ flights_shrunk_rate(group ~ ".disrupted", group ~ ".flights", "overall_" ~ days ~ "d_rate") }}
            as {{ name }}_rate_{{ days }}d,
        {% endfor -%}
        {{ flights_shrunk_rate(
            "carrier_hour_so_far.disrupted", "carrier_hour_so_far.flights", "so_far_rate"
        ) }} as carrier_hour_rate
    from decisions
    left join overall_14d on decisions.rates_date = overall_14d.rates_date
    left join overall_28d on decisions.rates_date = overall_28d.rates_date
    {% for name, days, keys in trailing -%}
    left join {{ name }}_{{ days }}d
        on
            decisions.rates_date = {{ name }}_{{ days }}d.rates_date
            {% for key in keys -%}
            and decisions.{{ key }} = {{ name }}_{{ days }}d.{{ key }}
            {% endfor %}
    {% endfor -%}
    asof left join so_far on decisions.rates_date >= so_far.known_date
    asof left join carrier_hour_so_far
        on
            decisions.carrier = carrier_hour_so_far.carrier
            and decisions.scheduled_hour = carrier_hour_so_far.scheduled_hour
            and decisions.rates_date >= carrier_hour_so_far.known_date
),

final as (
    select
        flight_id,
        decision_at,
        {% for name, days, keys in trailing -%}
        {{ name }}_rate_{{ days }}d,
        {% endfor -%}
        carrier_hour_rate,
        known_at
    from joined
)

select * from final
