{{ config(incremental_predicates=[in_range('label_known_at')]) }}

with

-- the first end of a flight that was told is its outcome
ends as (
    select *
    from {{ ref('int_flights__movements') }}
    where event <> 'departed' and {{ in_range_since('known_at', '7 days') }}
    qualify row_number() over (partition by flight_id order by known_at, event) = 1
),

flights as (
    select *
    from {{ ref('int_flights__conformed') }}
    where {{ in_days('flight_date', 7) }}
),

-- a flight that arrived, but has no delay, was diverted before
outcomes as (
    select
        flight_id,
        known_at as label_known_at,
        delay_min as arrival_delay_min,
        case
            when event <> 'arrived' then event
            when delay_min is null then 'diverted'
            when delay_min >= {{ var("flights_late_from_min") }} then 'late'
            else 'on_time'
        end as outcome
    from ends
    where {{ in_range('known_at') }}
),

final as (
    select
        outcomes.flight_id,
        flights.carrier,
        flights.flight_number,
        flights.origin,
        flights.destination,
        flights.scheduled_hour,
        flights.decision_at,
        outcomes.outcome,
        outcomes.outcome <> 'on_time' as is_disrupted,
        outcomes.arrival_delay_min,
        outcomes.label_known_at,
        {{ flights_known_date('outcomes.label_known_at') }} as known_date
    from outcomes
    inner join flights on outcomes.flight_id = flights.flight_id
)

select * from final
order by label_known_at
